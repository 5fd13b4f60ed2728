//! Account management by the owner and the emails it sends, on both databases.

use crate::prelude::*;

mod account_deletion;
mod account_prehijacking;
mod addresses;
mod links;
mod logs;
mod pages;
mod passwords;
mod rotations;
mod user_enumeration;
mod verification;

/// New password of an account.
pub(crate) const NEW: &str = "wrong donkey charger paperclip";

impl Service {
    pub(crate) fn change_password(&self, access: &str, current: &str, new: &str) -> Reply {
        let body = json!({"current_password": current, "new_password": new});
        self.tell("POST", "/auth/password/change", access, &body)
    }

    fn forgot(&self, email: &str) -> Reply {
        self.post("/auth/password/forgot", &json!({"email": email}))
    }

    pub(crate) fn reset(&self, token: &str, new: &str) -> Reply {
        self.post("/auth/password/reset", &json!({"token": token, "new_password": new}))
    }

    pub(crate) fn verify(&self, token: &str) -> Reply {
        self.post("/auth/email/verify", &json!({"token": token}))
    }

    /// Verifies the email address as the owner, who enters the password.
    pub(crate) fn confirm(&self, token: &str, password: &str) -> Reply {
        self.post("/auth/email/verify", &json!({"token": token, "password": password}))
    }

    fn resend(&self, email: &str) -> Reply {
        self.post("/auth/email/resend", &json!({"email": email}))
    }

    fn change_email(&self, access: &str, password: &str, new_email: &str) -> Reply {
        let body = json!({"password": password, "new_email": new_email});
        self.tell("POST", "/auth/email/change", access, &body)
    }

    pub(crate) fn leave(&self, access: &str, password: &str) -> Reply {
        self.tell("DELETE", "/auth/me", access, &json!({"password": password}))
    }

    /// Posts a form to one of the account pages.
    pub(crate) fn submit(&self, page: &str, fields: &[(&str, &str)]) -> Reply {
        self.call("POST", &format!("/account/{page}")).fields(fields).send()
    }

    /// Returns the verification token of an account that was just registered, even if later emails arrived.
    #[track_caller]
    pub(crate) fn verification_token(&self, account: &Account) -> String {
        eventually("a mail to verify the address", || {
            let mails = self.mails_to(&account.email);
            mails.iter().find(|mail| mail.text.contains("/account/verify")).map(|mail| mail.token())
        })
    }

    /// Creates an account with a verified email address and no session.
    #[track_caller]
    pub(crate) fn verified_account(&self) -> Account {
        let account = self.account();
        self.confirm(&self.verification_token(&account), &account.password).expect(200);
        account
    }

    /// Logs a fresh account with a verified email address in.
    #[track_caller]
    fn verified_session(&self) -> (Account, Pair) {
        let account = self.verified_account();
        let pair = self.sign_in(&account);
        (account, pair)
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

    /// Requests a password reset and returns the token of the account's first such email.
    #[track_caller]
    pub(crate) fn reset_link(&self, account: &Account) -> String {
        self.forgot(&account.email).expect(202);
        eventually("a mail to set a password", || {
            let mails = self.mails_to(&account.email);
            mails.iter().find(|mail| mail.text.contains("/account/reset?")).map(|mail| mail.token())
        })
    }

    /// Requests a change of the email address; returns the new one and the token that was sent there.
    #[track_caller]
    fn email_change(&self, access: &str, password: &str) -> (String, String) {
        let new_email = fresh_email();
        self.change_email(access, password, &new_email).expect(202);
        let token = self.wait_for_mails(&new_email, 1)[0].token();
        (new_email, token)
    }

    /// Expires the one-time tokens of an account.
    fn expire_tokens(&self, account: &Account) {
        let past = "'2026-01-01 00:00:00'";
        self.database
            .execute(&format!("UPDATE one_time_tokens SET expires_at = {past} WHERE user_id = {}", account.id));
    }

    /// Checks the remaining lifetime of an account's only token for a purpose, in seconds.
    #[track_caller]
    fn expect_lifetime(&self, account: &Account, purpose: &str, expected: i64) {
        let of = format!("FROM one_time_tokens WHERE user_id = {} AND purpose = '{purpose}'", account.id);
        let seconds = if self.database.url().starts_with("sqlite") {
            "CAST(strftime('%s', expires_at) AS INTEGER) - CAST(strftime('%s', 'now') AS INTEGER)"
        } else {
            "CAST(extract(epoch FROM expires_at - now()) AS BIGINT)"
        };
        let found = self.database.texts(seconds, &of);
        assert_eq!(found.len(), 1, "{of}");
        let left: i64 = found[0].parse().unwrap();
        assert!((expected - 100..=expected).contains(&left), "{purpose}: {left}");
    }
}

/// Returns the value of a hidden field.
fn hidden(html: &str, name: &str) -> String {
    let at = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
    let (_, rest) = html.split_once(&at).unwrap_or_else(|| panic!("no {name}: {html}"));
    rest.split('"').next().unwrap().to_owned()
}
