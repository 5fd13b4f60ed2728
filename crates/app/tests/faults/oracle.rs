//! Oracle: what was acknowledged before a fault must hold after it. A 2xx operation has happened; one with no
//! response or a 503 has happened completely or not at all.

use crate::harness::accounts::{Pair, fresh_email};
use crate::harness::bounds::within_deadline;
use crate::harness::calls::{Call, Reply, agent};
use crate::harness::services::Service;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::thread;

/// Number of checking threads.
const CHECKERS: usize = 4;
const PASSWORD: &str = "correct horse battery staple";

/// Knowledge of a client about one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Answered with 2xx.
    Done,
    /// Not answered, or answered with 503.
    Unknown,
    /// Never requested.
    NotAsked,
}

/// Reason a history ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A 503 response.
    Refused,
    /// A connection that ended without a response.
    Gone,
}

/// One account with one session, and the progress of both.
#[derive(Debug)]
pub(crate) struct History {
    email: String,
    registered: Known,
    logged_in: Known,
    /// Every issued refresh token, oldest first.
    tokens: Vec<String>,
    /// Whether the newest token was refreshed.
    refreshed: Known,
    logged_out: Known,
    pub(super) cut: Option<Cut>,
}

/// Client that keeps its connections open and alternates between several services.
pub(super) struct Client<'a> {
    services: &'a [&'a Service],
    turn: Cell<usize>,
    agent: ureq::Agent,
    answered: &'a dyn Fn(),
}

impl<'a> Client<'a> {
    /// Creates a client. `answered` is called for every response that acknowledges something.
    pub(super) fn new(services: &'a [&'a Service], answered: &'a dyn Fn()) -> Self {
        Self { services, turn: Cell::new(0), agent: agent(1), answered }
    }

    fn post(&self, path: &str, body: &Value) -> Result<Reply, Cut> {
        self.turn.set(self.turn.get() + 1);
        let service = self.services[self.turn.get() % self.services.len()];
        let call = Call::with(self.agent.clone(), service, "POST", path).json(body);
        let mut gone = false;
        let reply = within_deadline(|| {
            call.attempt().unwrap_or_else(|_| {
                gone = true;
                let headers = ureq::http::HeaderMap::default();
                Reply { request: String::new(), status: 200, headers, body: Vec::new() }
            })
        });
        match reply.status {
            _ if gone => Err(Cut::Gone),
            503 => Err(Cut::Refused),
            _ => {
                (self.answered)();
                Ok(reply)
            }
        }
    }

    /// Registers, logs in, refreshes several times and logs out, until an operation fails.
    pub(super) fn live(&self, refreshes: usize) -> History {
        let (email, unknown) = (fresh_email(), Known::NotAsked);
        let mut history = History {
            email,
            registered: Known::Unknown,
            logged_in: unknown,
            tokens: Vec::new(),
            refreshed: unknown,
            logged_out: unknown,
            cut: None,
        };
        history.cut = self.steps(&mut history, refreshes).err();
        history
    }

    fn steps(&self, history: &mut History, refreshes: usize) -> Result<(), Cut> {
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
        Ok(())
    }
}

/// Checks a service against all histories.
pub(crate) fn check(histories: &[History], service: &Service) {
    assert!(!histories.is_empty());
    let stored = stored_live_tokens(service);
    for history in histories {
        let live = stored.get(&history.email).copied().unwrap_or_default();
        assert!(history.live_tokens().contains(&live), "{live} live tokens: {history:?}");
    }
    thread::scope(|scope| {
        for part in histories.chunks(histories.len().div_ceil(CHECKERS)) {
            scope.spawn(|| part.iter().for_each(|history| history.check(service)));
        }
    });
}

/// Counts the live tokens of each account.
fn stored_live_tokens(service: &Service) -> BTreeMap<String, i64> {
    let rest = "FROM users JOIN refresh_tokens ON users.id = user_id WHERE NOT revoked GROUP BY email";
    let rows = service.database.texts("email || ' ' || count(*)", rest);
    let row = |row: &String| row.split_once(' ').map(|(email, count)| (email.to_owned(), count.parse().unwrap()));
    rows.iter().filter_map(row).collect()
}

impl History {
    /// Checks the service against this history.
    fn check(&self, service: &Service) {
        let login = service.login(&self.email, PASSWORD);
        match self.registered {
            Known::Done => drop(login.expect(200)),
            // An account is never partial: it exists or its email address is free.
            _ if login.status == 200 => {}
            _ => drop(service.register(&self.email, PASSWORD).expect(201)),
        }
        let Some((newest, spent)) = self.tokens.split_last() else { return };
        // The newest token first, because a spent token presented late ends the session.
        let reply = service.refresh(newest);
        for token in spent {
            service.refresh(token).expect_error(401, "AUTH_TOKEN_REVOKED");
        }
        match (self.refreshed, self.logged_out) {
            (_, Known::Done) => drop(reply.expect_error(401, "AUTH_TOKEN_REVOKED")),
            (Known::NotAsked, Known::NotAsked) => drop(reply.expect(200)),
            _ if reply.status == 200 => {}
            _ => drop(reply.expect_error(401, "AUTH_TOKEN_REVOKED")),
        }
    }

    /// Returns how many live tokens its account may have before the check. A refresh with an unknown outcome
    /// leaves one either way.
    fn live_tokens(&self) -> RangeInclusive<i64> {
        match (self.logged_in, self.logged_out) {
            (Known::NotAsked, _) | (Known::Done, Known::Done) => 0..=0,
            (Known::Done, Known::NotAsked) => 1..=1,
            (Known::Unknown, _) | (Known::Done, Known::Unknown) => 0..=1,
        }
    }
}
