//! Test accounts and the calls made on their behalf.

use super::calls::Reply;
use super::jose::claims;
use super::services::Service;
use super::timing::unique;
use serde_json::{Value, json};

/// Email and password of an account.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) email: String,
    pub(crate) password: String,
}

/// Token pair from a login or a refresh.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Pair {
    #[track_caller]
    pub(crate) fn of(reply: &Reply) -> Self {
        let body = reply.expect(200);
        let token = |name: &str| body[name].as_str().expect("a token").to_owned();
        Self { access: token("access_token"), refresh: token("refresh_token") }
    }

    /// Returns the refresh token's `jti` claim.
    pub(crate) fn jti(&self) -> String {
        claims(&self.refresh)["jti"].as_str().unwrap().to_owned()
    }
}

/// Returns an email address that no other test uses.
pub(crate) fn fresh_email() -> String {
    format!("user{}@example.com", unique())
}

impl Service {
    pub(crate) fn register(&self, email: &str, password: &str) -> Reply {
        self.post("/auth/register", &json!({"email": email, "password": password}))
    }

    pub(crate) fn login(&self, email: &str, password: &str) -> Reply {
        self.post("/auth/login", &json!({"email": email, "password": password}))
    }

    pub(crate) fn refresh(&self, token: &str) -> Reply {
        self.post("/auth/refresh", &json!({"refresh_token": token}))
    }

    /// Refreshes with an `Idempotency-Key` header.
    pub(crate) fn refresh_with(&self, token: &str, key: &str) -> Reply {
        let call = self.call("POST", "/auth/refresh").header("Idempotency-Key", key);
        call.json(&json!({"refresh_token": token})).send()
    }

    pub(crate) fn logout(&self, token: &str) -> Reply {
        self.post("/auth/logout", &json!({"refresh_token": token}))
    }

    pub(crate) fn me(&self, token: &str) -> Reply {
        self.call("GET", "/auth/me").bearer(token).send()
    }

    /// Registers a fresh account.
    #[track_caller]
    pub(crate) fn account(&self) -> Account {
        self.account_with("correct horse battery staple")
    }

    #[track_caller]
    pub(crate) fn account_with(&self, password: &str) -> Account {
        let email = fresh_email();
        let id = self.register(&email, password).expect(201)["id"].as_i64().unwrap();
        Account { id, email, password: password.to_owned() }
    }

    #[track_caller]
    pub(crate) fn sign_in(&self, account: &Account) -> Pair {
        Pair::of(&self.login(&account.email, &account.password))
    }

    /// Registers a fresh account and logs it in.
    #[track_caller]
    pub(crate) fn session(&self) -> (Account, Pair) {
        let account = self.account();
        let pair = self.sign_in(&account);
        (account, pair)
    }

    pub(crate) fn disable(&self, account: &Account) {
        self.database.execute(&format!("UPDATE users SET is_active = FALSE WHERE id = {}", account.id));
    }

    pub(crate) fn stored_hash(&self, account: &Account) -> String {
        self.database.texts("hashed_password", &format!("FROM users WHERE id = {}", account.id)).swap_remove(0)
    }
}

/// Returns an account's login body.
pub(crate) fn credentials(account: &Account) -> Value {
    json!({"email": account.email, "password": account.password})
}
