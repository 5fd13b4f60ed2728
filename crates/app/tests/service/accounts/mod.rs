//! Account management by the owner and the emails it sends, on both databases.

mod account_deletion;
mod account_prehijacking;
mod addresses;
mod links;
mod logs;
mod pages;
mod passwords;
mod user_enumeration;
mod verification;

use crate::harness::accounts::Account;
use crate::harness::calls::Reply;
use crate::harness::services::Service;
use serde_json::{Value, json};

impl Service {
    fn change_password(&self, access: &str, current: &str, new: &str) -> Reply {
        let body = json!({"current_password": current, "new_password": new});
        self.call("POST", "/auth/password/change").bearer(access).json(&body).send()
    }

    fn forgot(&self, email: &str) -> Reply {
        self.post("/auth/password/forgot", &json!({"email": email}))
    }

    fn reset(&self, token: &str, new: &str) -> Reply {
        self.post("/auth/password/reset", &json!({"token": token, "new_password": new}))
    }

    fn verify(&self, token: &str) -> Reply {
        self.post("/auth/email/verify", &json!({"token": token}))
    }

    /// Verifies the email address as the owner, who enters the password.
    fn confirm(&self, token: &str, password: &str) -> Reply {
        self.post("/auth/email/verify", &json!({"token": token, "password": password}))
    }

    fn resend(&self, email: &str) -> Reply {
        self.post("/auth/email/resend", &json!({"email": email}))
    }

    fn change_email(&self, access: &str, password: &str, new_email: &str) -> Reply {
        let body = json!({"password": password, "new_email": new_email});
        self.call("POST", "/auth/email/change").bearer(access).json(&body).send()
    }

    fn leave(&self, access: &str, password: &str) -> Reply {
        self.call("DELETE", "/auth/me").bearer(access).json(&json!({"password": password})).send()
    }

    /// Returns the verification token of an account that was just registered.
    #[track_caller]
    fn verification_token(&self, account: &Account) -> String {
        self.wait_for_mails(&account.email, 1)[0].token()
    }

    /// Creates an account with a verified email address and no session.
    #[track_caller]
    fn verified_account(&self) -> Account {
        let account = self.account();
        self.confirm(&self.verification_token(&account), &account.password).expect(200);
        account
    }

    /// Requests a password reset and returns its token. `mails` is the account's total number of emails after
    /// that.
    #[track_caller]
    pub(crate) fn reset_token(&self, account: &Account, mails: usize) -> String {
        self.forgot(&account.email).expect(202);
        let mails = self.wait_for_mails(&account.email, mails);
        let mail = mails.iter().rfind(|mail| mail.target().starts_with("/account/reset"));
        mail.expect("a mail to set a password").token()
    }

    /// Expires the one-time tokens of an account.
    fn expire_tokens(&self, account: &Account) {
        let past = "'2026-01-01 00:00:00'";
        self.database
            .execute(&format!("UPDATE one_time_tokens SET expires_at = {past} WHERE user_id = {}", account.id));
    }

    /// Returns the remaining lifetime of an account's only token for a purpose, in seconds.
    fn lifetime(&self, account: &Account, purpose: &str) -> i64 {
        let of = format!("FROM one_time_tokens WHERE user_id = {} AND purpose = '{purpose}'", account.id);
        let seconds = if self.database.url().starts_with("sqlite") {
            "CAST(strftime('%s', expires_at) AS INTEGER) - CAST(strftime('%s', 'now') AS INTEGER)"
        } else {
            "CAST(extract(epoch FROM expires_at - now()) AS BIGINT)"
        };
        let found = self.database.texts(seconds, &of);
        assert_eq!(found.len(), 1, "{of}");
        found[0].parse().unwrap()
    }
}

/// Returns everything a client could use to tell two responses apart.
fn seen(reply: &Reply) -> (u16, String, Vec<String>) {
    let mut body: Value = reply.json();
    if let Some(id) = body.get_mut("request_id") {
        *id = Value::Null;
    }
    let own = ["date", "x-request-id"];
    let headers = reply.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let mut headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    headers.sort();
    (reply.status, body.to_string(), headers)
}
