//! Steps that many tests share: common refusals, refreshes, concurrent calls and forms.

use super::accounts::{Account, Pair};
use super::calls::{Call, Reply};
use super::databases::{Backend, Database};
use super::jose;
use super::services::{Service, ServiceBuilder};
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::thread;

impl Reply {
    /// Checks for 401 `AUTH_INVALID_CREDENTIALS`.
    #[track_caller]
    pub(crate) fn wrong_credentials(&self) {
        self.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }

    /// Checks for 401 `AUTH_TOKEN_INVALID`.
    #[track_caller]
    pub(crate) fn invalid(&self) {
        self.expect_error(401, "AUTH_TOKEN_INVALID");
    }

    /// Checks for 401 `AUTH_TOKEN_EXPIRED`.
    #[track_caller]
    pub(crate) fn expired(&self) {
        self.expect_error(401, "AUTH_TOKEN_EXPIRED");
    }

    /// Checks for 401 `AUTH_TOKEN_REVOKED`.
    #[track_caller]
    pub(crate) fn revoked(&self) {
        self.expect_error(401, "AUTH_TOKEN_REVOKED");
    }

    /// Checks the status of a response that is not JSON.
    #[track_caller]
    pub(crate) fn has_status(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}\n{}", self.request, self.text());
        self
    }

    /// Returns the device cookie, as a request header sends it.
    #[track_caller]
    pub(crate) fn cookie(&self) -> String {
        self.header("Set-Cookie").expect("Set-Cookie").split(';').next().unwrap().to_owned()
    }

    /// Returns everything a client could use to tell two responses apart.
    pub(crate) fn seen(&self) -> (u16, String, Vec<String>) {
        let mut body: Value = self.json();
        if let Some(id) = body.get_mut("request_id") {
            *id = Value::Null;
        }
        let own = ["date", "x-request-id"];
        let headers = self.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        let mut headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
        headers.sort();
        (self.status, body.to_string(), headers)
    }
}

impl Call {
    pub(crate) fn headers(self, headers: &[(&str, &str)]) -> Self {
        headers.iter().fold(self, |call, (name, value)| call.header(name, value))
    }

    /// Adds a form, percent-encoded.
    pub(crate) fn fields(self, fields: &[(&str, &str)]) -> Self {
        self.form(&form(fields))
    }
}

/// Returns the body of a form, percent-encoded.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
}

impl Pair {
    /// Returns the session id.
    pub(crate) fn sid(&self) -> String {
        jose::claims(&self.refresh)["sid"].as_str().expect("sid").to_owned()
    }
}

impl Account {
    pub(crate) fn with_password(&self, password: &str) -> Self {
        Self { password: password.to_owned(), ..self.clone() }
    }

    /// Returns the fields of a login form.
    pub(crate) fn as_form(&self) -> [(&str, &str); 2] {
        [("username", &self.email), ("password", &self.password)]
    }
}

impl Service {
    /// Makes a call without a body, with an access token.
    pub(crate) fn ask(&self, method: &str, path: &str, access: &str) -> Reply {
        self.call(method, path).bearer(access).send()
    }

    /// Makes a call with a JSON body and an access token.
    pub(crate) fn tell(&self, method: &str, path: &str, access: &str, body: &Value) -> Reply {
        self.call(method, path).bearer(access).json(body).send()
    }

    /// Refreshes and returns the new pair.
    #[track_caller]
    pub(crate) fn renewed(&self, pair: &Pair) -> Pair {
        Pair::of(&self.refresh(&pair.refresh))
    }

    /// Checks that both tokens are refused as revoked.
    #[track_caller]
    pub(crate) fn expect_ended(&self, pair: &Pair) {
        self.refresh(&pair.refresh).revoked();
        self.me(&pair.access).revoked();
    }

    /// Changes columns of an account's row.
    pub(crate) fn set_user(&self, account: &Account, columns: &str) {
        self.database.execute(&format!("UPDATE users SET {columns} WHERE id = {}", account.id));
    }

    /// Moves the time at which a token was spent back by `seconds`.
    pub(crate) fn spent_earlier(&self, pair: &Pair, seconds: u32) {
        let earlier = match self.database {
            Database::Sqlite(_) => format!("strftime('%Y-%m-%d %H:%M:%f000', spent_at, '-{seconds} seconds')"),
            // Uses the server's clock, which replicas share.
            Database::Postgres { .. } => {
                format!("spent_at, server_spent_at = server_spent_at - interval '{seconds} seconds'")
            }
        };
        self.database.execute(&format!("UPDATE refresh_tokens SET spent_at = {earlier} WHERE jti = '{}'", pair.jti()));
    }

    /// Returns the verdicts on a session's tokens, newest first.
    #[track_caller]
    pub(crate) fn verdicts(&self, access: &str, sid: &str) -> Vec<String> {
        let body = self.ask("GET", &format!("/auth/sessions/{sid}/events"), access).expect(200);
        let events = body["events"].as_array().unwrap().iter();
        events.map(|event| event["verdict"].as_str().unwrap().to_owned()).collect()
    }

    /// Logs in with a device cookie.
    pub(crate) fn login_from(&self, cookie: &str, account: &Account) -> Reply {
        let body = json!({"email": account.email, "password": account.password});
        self.call("POST", "/auth/login").header("Cookie", cookie).json(&body).send()
    }
}

impl Database {
    /// Returns the SQL for the time `seconds` ago.
    pub(crate) fn ago(&self, seconds: i64) -> String {
        match self {
            Self::Sqlite(_) => format!("strftime('%Y-%m-%d %H:%M:%f000', 'now', '-{seconds} seconds')"),
            Self::Postgres { .. } => format!("now() - interval '{seconds} seconds'"),
        }
    }
}

/// Services that tests share, one per database.
pub(crate) struct Shared([OnceLock<Service>; 2]);

impl Shared {
    pub(crate) const fn new() -> Self {
        Self([OnceLock::new(), OnceLock::new()])
    }

    /// Returns the service on this database. The first call starts it.
    pub(crate) fn on(
        &'static self,
        backend: Backend,
        setup: impl FnOnce(ServiceBuilder) -> ServiceBuilder,
    ) -> &'static Service {
        let place = usize::from(backend == Backend::Postgres);
        self.0[place].get_or_init(|| setup(backend.service()).start())
    }
}

/// Makes concurrent calls and returns their results in order.
pub(crate) fn at_once<T: Send>(count: usize, call: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let call = &call;
        let calls: Vec<_> = (0..count).map(|number| scope.spawn(move || call(number))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    })
}

/// Counts the responses with this status.
pub(crate) fn count(replies: &[Reply], status: u16) -> usize {
    replies.iter().filter(|reply| reply.status == status).count()
}
