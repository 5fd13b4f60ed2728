//! What was acknowledged before a kill, and what that promises for after it: 2xx has happened, no
//! answer has happened wholly or not at all (security requirement F1).

use crate::harness::accounts::{Pair, fresh_email};
use crate::harness::calls::{Call, Reply, agent};
use crate::harness::services::Service;
use serde_json::json;

const PASSWORD: &str = "correct horse battery staple";

/// What a client knows of one operation.
#[derive(Debug, Clone)]
enum Known {
    /// It was answered with 2xx.
    Done,
    /// It was not answered.
    Unknown,
    /// It was never asked for.
    NotAsked,
}

/// One account with one session, and how far it came.
#[derive(Debug)]
pub(super) struct History {
    email: String,
    registered: Known,
    logged_in: Known,
    /// Every refresh token that was given, oldest first.
    tokens: Vec<String>,
    /// Of the newest token: whether it was exchanged.
    refreshed: Known,
    logged_out: Known,
}

/// A client with a connection of its own that stays open.
pub(super) struct Client<'a> {
    service: &'a Service,
    agent: ureq::Agent,
}

impl<'a> Client<'a> {
    pub(super) fn new(service: &'a Service) -> Self {
        Self { service, agent: agent(1) }
    }

    /// An answer of the service; none where it died first, or where its database did, which is
    /// as unknown.
    fn post(&self, path: &str, body: &serde_json::Value) -> Option<Reply> {
        let reply = Call::with(self.agent.clone(), self.service, "POST", path).json(body).attempt().ok();
        reply.filter(|reply| reply.status != 503)
    }

    /// Registers, logs in, refreshes some times and logs out, until the service dies.
    pub(super) fn live(&self, refreshes: usize) -> History {
        let (email, unknown) = (fresh_email(), Known::NotAsked);
        let mut history = History {
            email,
            registered: Known::Unknown,
            logged_in: unknown.clone(),
            tokens: Vec::new(),
            refreshed: unknown.clone(),
            logged_out: unknown,
        };
        let _ = self.steps(&mut history, refreshes);
        history
    }

    fn steps(&self, history: &mut History, refreshes: usize) -> Option<()> {
        let account = json!({"email": history.email, "password": PASSWORD});
        self.post("/auth/register", &account)?.expect(201);
        history.registered = Known::Done;
        history.logged_in = Known::Unknown;
        let pair = Pair::of(&self.post("/auth/login", &account)?);
        history.logged_in = Known::Done;
        history.tokens.push(pair.refresh);
        for _ in 0..refreshes {
            let body = json!({"refresh_token": history.tokens.last()});
            history.refreshed = Known::Unknown;
            let pair = Pair::of(&self.post("/auth/refresh", &body)?);
            history.refreshed = Known::NotAsked;
            history.tokens.push(pair.refresh);
        }
        let body = json!({"refresh_token": history.tokens.last()});
        history.logged_out = Known::Unknown;
        self.post("/auth/logout", &body)?.expect(200);
        history.logged_out = Known::Done;
        Some(())
    }
}

impl History {
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.logged_out, Known::Done)
    }

    /// Holds the restarted service against what is known.
    pub(super) fn check(&self, service: &Service) {
        match self.registered {
            Known::Done => drop(service.login(&self.email, PASSWORD).expect(200)),
            // No half account: it is there whole, or the address is free.
            _ if service.login(&self.email, PASSWORD).status == 200 => {}
            _ => drop(service.register(&self.email, PASSWORD).expect(201)),
        }
        let Some((newest, spent)) = self.tokens.split_last() else { return };
        for token in spent {
            service.refresh(token).expect_error(401, "AUTH_TOKEN_REVOKED");
        }
        let reply = service.refresh(newest);
        match (&self.refreshed, &self.logged_out) {
            (_, Known::Done) => drop(reply.expect_error(401, "AUTH_TOKEN_REVOKED")),
            (Known::NotAsked, Known::NotAsked) => drop(reply.expect(200)),
            _ if reply.status == 200 => {}
            _ => drop(reply.expect_error(401, "AUTH_TOKEN_REVOKED")),
        }
    }

    /// How many live tokens its account must have before anybody looks: an exchange that nobody
    /// heard of leaves one, as it would if it had not happened. Unknown where a login or a logout
    /// was cut off.
    pub(super) fn live_tokens(&self) -> Option<i64> {
        match (&self.logged_in, &self.logged_out) {
            (Known::Done, Known::NotAsked) => Some(1),
            (Known::Done, Known::Done) => Some(0),
            _ => None,
        }
    }

    /// The rows of its account that could still be shown.
    pub(super) fn stored_live_tokens(&self, service: &Service) -> i64 {
        let rest = format!(
            "FROM refresh_tokens JOIN users ON users.id = refresh_tokens.user_id WHERE users.email = '{}' AND NOT revoked",
            self.email
        );
        service.database.count(&rest)
    }
}
