//! Accounts with a second factor, and the calls made on their behalf.

use super::accounts::{Account, Pair};
use super::calls::Reply;
use super::services::Service;
use super::totp::Authenticator;
use serde_json::{Value, json};

/// Account with one authenticator app.
#[derive(Debug, Clone)]
pub(crate) struct Enrolled {
    pub(crate) account: Account,
    pub(crate) app: Authenticator,
    /// Id of the factor.
    pub(crate) factor: String,
    /// Recovery codes.
    pub(crate) codes: Vec<String>,
    /// Session that enrolled it.
    pub(crate) pair: Pair,
    /// Device cookie of that session's login.
    pub(crate) cookie: String,
}

/// Reads a list of texts.
#[track_caller]
pub(crate) fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

impl Reply {
    /// Checks that a second factor is due and returns the token to show with it.
    #[track_caller]
    pub(crate) fn mfa_token(&self) -> String {
        let details = self.expect_error(403, "AUTH_MFA_REQUIRED");
        details["mfa_token"].as_str().expect("mfa_token").to_owned()
    }

    /// Checks that a second factor must be set up first and returns the token for that.
    #[track_caller]
    pub(crate) fn enrolment_token(&self) -> String {
        let details = self.expect_error(403, "AUTH_MFA_ENROLMENT_REQUIRED");
        details["mfa_token"].as_str().expect("mfa_token").to_owned()
    }

    /// Checks that the call needs a recent authentication and returns the details.
    #[track_caller]
    pub(crate) fn step_up(&self) -> Value {
        self.expect_error(403, "AUTH_STEP_UP_REQUIRED")
    }

    #[track_caller]
    pub(crate) fn not_found(&self) {
        self.expect_error(404, "NOT_FOUND");
    }

    /// Checks for a 409 with this reason.
    #[track_caller]
    pub(crate) fn conflict(&self, reason: &str) {
        assert_eq!(self.expect_error(409, "CONFLICT")["reason"], reason, "{}", self.text());
    }
}

impl Service {
    /// Returns the state of an account's second factors.
    #[track_caller]
    pub(crate) fn factors(&self, access: &str) -> Value {
        self.ask("GET", "/auth/mfa", access).expect(200)
    }

    /// Begins to set up an authenticator app.
    pub(crate) fn begin_factor(&self, access: &str) -> Reply {
        self.tell("POST", "/auth/mfa/totp", access, &json!({}))
    }

    pub(crate) fn confirm_factor(&self, access: &str, id: &str, code: &str) -> Reply {
        self.tell("POST", &format!("/auth/mfa/totp/{id}/confirm"), access, &json!({"code": code}))
    }

    pub(crate) fn remove_factor(&self, access: &str, id: &str) -> Reply {
        self.ask("DELETE", &format!("/auth/mfa/totp/{id}"), access)
    }

    pub(crate) fn new_recovery_codes(&self, access: &str) -> Reply {
        self.ask("POST", "/auth/mfa/recovery-codes", access)
    }

    /// Sets an authenticator app up and returns it, its id and the response.
    #[track_caller]
    pub(crate) fn add_factor(&self, access: &str) -> (Authenticator, String, Value) {
        let begun = self.begin_factor(access).expect(201);
        let app = Authenticator::of(begun["secret"].as_str().unwrap());
        let id = begun["id"].as_str().unwrap().to_owned();
        let confirmed = self.confirm_factor(access, &id, &app.code()).expect(200);
        (app, id, confirmed)
    }

    /// Logs an account in and sets an authenticator app up.
    #[track_caller]
    pub(crate) fn enrol(&self, account: Account) -> Enrolled {
        let login = self.login(&account.email, &account.password);
        let (pair, cookie) = (Pair::of(&login), login.cookie());
        let (app, factor, confirmed) = self.add_factor(&pair.access);
        Enrolled { account, app, factor, codes: texts(&confirmed["recovery_codes"]), pair, cookie }
    }

    /// Registers a fresh account and sets an authenticator app up.
    #[track_caller]
    pub(crate) fn enrolled(&self) -> Enrolled {
        self.enrol(self.account())
    }

    /// Returns the current code. Forgets first which one was accepted last, as if time had passed.
    pub(crate) fn fresh_code(&self, of: &Enrolled) -> String {
        self.database.execute(&format!("UPDATE totp_factors SET last_step = 0 WHERE user_id = {}", of.account.id));
        of.app.code()
    }

    /// Logs in with password and code.
    pub(crate) fn login_with(&self, account: &Account, code: &str) -> Reply {
        let body = json!({"email": account.email, "password": account.password, "code": code});
        self.post("/auth/login", &body)
    }

    /// Logs in with both factors.
    #[track_caller]
    pub(crate) fn sign_in_fully(&self, of: &Enrolled) -> Pair {
        Pair::of(&self.login_with(&of.account, &self.fresh_code(of)))
    }

    /// Logs in with the password alone and returns the token to show with the second factor.
    #[track_caller]
    pub(crate) fn challenge(&self, account: &Account) -> String {
        self.login(&account.email, &account.password).mfa_token()
    }

    /// Shows a second factor: `proof` has one of `code` and `recovery_code`.
    pub(crate) fn second(&self, mfa_token: &str, proof: &Value) -> Reply {
        let mut body = proof.clone();
        body["mfa_token"] = json!(mfa_token);
        self.post("/auth/mfa/verify", &body)
    }

    pub(crate) fn reauthenticate(&self, access: &str, proof: &Value) -> Reply {
        self.tell("POST", "/auth/reauthenticate", access, proof)
    }

    /// Moves the authentication of a session back by `seconds`.
    pub(crate) fn authenticated_earlier(&self, pair: &Pair, seconds: i64) {
        let at = self.database.ago(seconds);
        self.database.execute(&format!("UPDATE sessions SET authenticated_at = {at} WHERE sid = '{}'", pair.sid()));
    }

    /// Counts rows of an account.
    pub(crate) fn rows_of(&self, account: &Account, table: &str) -> i64 {
        self.database.count(&format!("FROM {table} WHERE user_id = {}", account.id))
    }

    /// Checks that nothing of a second factor is left.
    #[track_caller]
    pub(crate) fn expect_no_factor(&self, account: &Account) {
        for table in ["totp_factors", "recovery_codes", "trusted_devices"] {
            assert_eq!(self.rows_of(account, table), 0, "{table}");
        }
        assert!(!self.stored_hash(account).contains("2fa"), "{}", self.stored_hash(account));
    }
}
