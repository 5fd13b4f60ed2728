//! The database of the model, statement by statement. Read committed is PostgreSQL's: a statement sees
//! what was committed when it began, waits for rows that others have changed, and then reads only those
//! rows again. Serial is SQLite's: one writer, from begin to commit. The statements and their order are
//! those of the adapters.

use crate::clients::DEVICE;
use crate::rows::{Call, Exchange, Found, Key, MODELLED, Reply, Row, Seconds, Sid, State, Token};

/// Isolation of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    Serial,
    ReadCommitted,
}

/// Injected flaw of the database, to verify that the model finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// A token is spent without checking that it is live.
    SpendsWithoutLooking,
    /// A rotation does not check that its session is active.
    ForgetsTheSession,
    /// The successor is added and committed before the token is spent.
    AddsFirst,
    /// The spent token is committed before its successor is added.
    AddsLater,
    /// A logout ends no session. It revokes only the token that was live when it read.
    EndsTokensAlone,
    /// The idempotency key is not stored.
    ForgetsTheKey,
    /// Any key counts as the one that the token was spent with.
    TakesAnyKey,
}

/// Committed state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Database {
    /// Rows of the modelled session.
    pub(crate) rows: Vec<Row>,
    pub(crate) ended: [bool; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lock {
    /// The whole database, on SQLite.
    Writer,
    Account,
    Session(Sid),
    Token(Token),
}

/// Uncommitted writes of one caller, and the progress of its statement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Pending {
    rows: Vec<Row>,
    ended: Vec<Sid>,
    pub(crate) locks: Vec<Lock>,
    pub(crate) stage: u8,
    /// Tokens that the statement saw when it began.
    seen: Vec<Token>,
}

/// Outcome of a step.
pub(crate) enum Progress {
    /// Another caller has locked the row.
    Waits,
    /// The statement is not finished.
    Goes,
    Replied(Reply),
}

/// One step of a caller.
pub(crate) struct Step<'a> {
    pub(crate) database: &'a mut Database,
    pub(crate) own: &'a mut Pending,
    /// Locks of other callers.
    pub(crate) taken: &'a [Lock],
    pub(crate) isolation: Isolation,
    pub(crate) flaw: Flaw,
    pub(crate) now: Seconds,
}

/// Inserts a row into a sorted list, or replaces the one with the same id.
fn put(rows: &mut Vec<Row>, row: Row) {
    match rows.binary_search_by_key(&row.token, |row| row.token) {
        Ok(at) => rows[at] = row,
        Err(at) => rows.insert(at, row),
    }
}

fn row(rows: &[Row], token: Token) -> Option<Row> {
    rows.binary_search_by_key(&token, |row| row.token).ok().map(|at| rows[at])
}

impl Database {
    pub(crate) fn row(&self, token: Token) -> Option<Row> {
        row(&self.rows, token)
    }

    /// Returns whether `later` succeeds the token: directly, or by exchanges that all had the device's key, if that
    /// is the key.
    pub(crate) fn succeeds(&self, later: Token, mut token: Token, key: Option<Key>) -> bool {
        while let Some(Row { state: State::Spent(spent), .. }) = self.row(token) {
            if spent.successor == later {
                return true;
            }
            if key != Some(DEVICE) || spent.key != key {
                return false;
            }
            token = spent.successor;
        }
        false
    }

    /// Returns whether a refresh with that key gets the pair of the session's live token again.
    pub(crate) fn is_retried(&self, token: Token, key: Option<Key>) -> bool {
        match self.row(token).map(|row| row.state) {
            Some(State::Spent(spent)) if spent.key.is_some() && spent.key == key => {
                let next = self.row(spent.successor).map(|row| row.state);
                next == Some(State::Live) || key == Some(DEVICE) && self.is_retried(spent.successor, key)
            }
            _ => false,
        }
    }

    fn commit(&mut self, own: &mut Pending) {
        let done = std::mem::take(own);
        done.rows.into_iter().for_each(|row| put(&mut self.rows, row));
        done.ended.into_iter().for_each(|session| self.ended[usize::from(session)] = true);
    }
}

impl Step<'_> {
    /// Returns whether no other caller can observe when the call happens. It is not a separate step
    /// then.
    pub(crate) fn is_unseen(call: &Call, isolation: Isolation) -> bool {
        match (call, isolation) {
            (Call::Begin { writes: true }, Isolation::Serial) | (Call::Bearer(_) | Call::Commit, _) => false,
            (Call::Begin { .. } | Call::Rollback | Call::Insert(_) | Call::Record, _) => true,
            (_, Isolation::Serial) => true,
            _ => false,
        }
    }

    fn row(&self, token: Token) -> Option<Row> {
        row(&self.own.rows, token).or_else(|| self.database.row(token))
    }

    fn is_live(&self, token: Token) -> bool {
        self.row(token).is_some_and(|row| row.state == State::Live)
    }

    fn has_ended(&self, session: Sid) -> bool {
        self.own.ended.contains(&session) || self.database.ended[usize::from(session)]
    }

    fn is_free(&self, lock: Lock) -> bool {
        !self.taken.contains(&lock)
    }

    fn write(&mut self, row: Row) {
        put(&mut self.own.rows, row);
        self.own.locks.push(Lock::Token(row.token));
    }

    fn reply(&mut self, reply: Reply) -> Progress {
        (self.own.stage, self.own.seen) = (0, Vec::new());
        Progress::Replied(reply)
    }

    fn go_on(&mut self) -> Progress {
        self.own.stage += 1;
        Progress::Goes
    }

    /// Waits for a lock and keeps it until the transaction ends.
    fn lock(&mut self, lock: Lock) -> bool {
        let free = self.is_free(lock);
        if free {
            self.own.locks.push(lock);
        }
        free
    }

    pub(crate) fn take(&mut self, call: &Call) -> Progress {
        match call {
            Call::Begin { writes: true } if self.isolation == Isolation::Serial => {
                if self.lock(Lock::Writer) {
                    self.reply(Reply::Done)
                } else {
                    Progress::Waits
                }
            }
            Call::Begin { .. } | Call::Record => self.reply(Reply::Done),
            Call::Hold if self.isolation == Isolation::Serial => self.reply(Reply::Done),
            Call::Hold => {
                if self.lock(Lock::Account) {
                    self.reply(Reply::Done)
                } else {
                    Progress::Waits
                }
            }
            Call::Commit => {
                self.database.commit(self.own);
                self.reply(Reply::Done)
            }
            Call::Rollback => {
                *self.own = Pending::default();
                self.reply(Reply::Done)
            }
            Call::Find(token) => self.find(*token),
            Call::Insert(row) => {
                self.write(*row);
                self.reply(Reply::Done)
            }
            Call::Spend(exchange) => self.spend(exchange),
            Call::Revoke(token) => self.revoke(*token),
            Call::FindSession(session) | Call::Bearer(session) => {
                let ended = self.has_ended(*session);
                self.reply(Reply::Session { ended })
            }
            Call::Reauthenticate(session) => self.reauthenticate(*session),
            Call::End(session) => self.end(&[*session], Some(*session)),
            Call::EndAll { keep } => {
                let sessions: Vec<_> = [0, 1].into_iter().filter(|session| Some(*session) != *keep).collect();
                self.end(&sessions, None)
            }
            Call::Rotate(exchange) => self.rotate(exchange),
        }
    }

    fn find(&mut self, token: Token) -> Progress {
        let found = self.row(token).map(|row| {
            let (spent, has_clock) = (row.state, self.isolation == Isolation::ReadCommitted);
            let State::Spent(spent) = spent else {
                return Found { row, live_successor: None, session_ended: self.has_ended(MODELLED), spent_age: None };
            };
            Found {
                row,
                live_successor: self.row(spent.successor).filter(|row| row.state == State::Live),
                session_ended: self.has_ended(MODELLED),
                spent_age: has_clock.then_some(self.now - spent.at),
            }
        });
        self.reply(Reply::Found(found))
    }

    fn spent(&self, exchange: &Exchange) -> Row {
        let mut spent = exchange.spent;
        spent.key = spent.key.filter(|_| self.flaw != Flaw::ForgetsTheKey);
        let created_at = self.row(exchange.token).map_or(0, |row| row.created_at);
        Row { token: exchange.token, created_at, state: State::Spent(spent) }
    }

    fn spend(&mut self, exchange: &Exchange) -> Progress {
        if !self.is_free(Lock::Token(exchange.token)) {
            return Progress::Waits;
        }
        let spends = self.is_live(exchange.token) || self.flaw == Flaw::SpendsWithoutLooking;
        if spends {
            self.write(self.spent(exchange));
        }
        self.reply(Reply::Told(spends))
    }

    fn revoke(&mut self, token: Token) -> Progress {
        if !self.is_free(Lock::Token(token)) {
            return Progress::Waits;
        }
        let live = self.row(token).filter(|row| row.state == State::Live);
        if let Some(row) = live {
            self.write(Row { state: State::Revoked, ..row });
        }
        self.reply(Reply::Told(live.is_some()))
    }

    fn reauthenticate(&mut self, session: Sid) -> Progress {
        if !self.is_free(Lock::Session(session)) {
            return Progress::Waits;
        }
        let active = !self.has_ended(session);
        self.own.locks.extend(active.then_some(Lock::Session(session)));
        self.reply(Reply::Told(active))
    }

    /// Two statements: the sessions, then the live tokens. The second sees later commits than the
    /// first.
    fn end(&mut self, sessions: &[Sid], alone: Option<Sid>) -> Progress {
        let stage = self.own.stage;
        match stage {
            0 => {
                if sessions.iter().any(|session| !self.is_free(Lock::Session(*session))) {
                    return Progress::Waits;
                }
                let active: Vec<_> = sessions.iter().filter(|session| !self.has_ended(**session)).copied().collect();
                if alone.is_some() && active.is_empty() {
                    return self.reply(Reply::Told(false));
                }
                let flawed = self.flaw == Flaw::EndsTokensAlone;
                self.own.locks.extend(active.iter().map(|session| Lock::Session(*session)));
                self.own.ended.extend(active.iter().filter(|session| !flawed || **session != MODELLED));
                self.go_on()
            }
            1 => {
                let rows = self.database.rows.iter().map(|row| row.token);
                let live: Vec<_> = rows.filter(|token| self.is_live(*token)).collect();
                self.own.seen = if sessions.contains(&MODELLED) { live } else { Vec::new() };
                self.go_on()
            }
            _ => {
                let seen = self.own.seen.clone();
                if seen.iter().any(|token| !self.is_free(Lock::Token(*token))) {
                    return Progress::Waits;
                }
                for token in seen {
                    if let Some(row) = self.row(token).filter(|row| row.state == State::Live) {
                        self.write(Row { state: State::Revoked, ..row });
                    }
                }
                let ended = u64::try_from(self.own.ended.len()).unwrap();
                self.reply(if alone.is_some() { Reply::Told(true) } else { Reply::Ended(ended) })
            }
        }
    }

    /// One statement in its own transaction. It sees the session as it was when it began.
    fn rotate(&mut self, exchange: &Exchange) -> Progress {
        let token = exchange.token;
        let added = Row { token: exchange.spent.successor, created_at: exchange.spent.at, state: State::Live };
        match self.own.stage {
            0 => {
                let open = !self.has_ended(MODELLED) || self.flaw == Flaw::ForgetsTheSession;
                if !open || !self.is_live(token) {
                    return self.reply(Reply::Told(false));
                }
                if self.flaw == Flaw::AddsFirst {
                    put(&mut self.database.rows, added);
                }
                self.go_on()
            }
            1 => {
                if !self.is_free(Lock::Token(token)) {
                    return Progress::Waits;
                }
                if !self.is_live(token) && self.flaw != Flaw::SpendsWithoutLooking {
                    return self.reply(Reply::Told(false));
                }
                self.write(self.spent(exchange));
                if self.flaw != Flaw::AddsLater {
                    self.write(added);
                }
                self.go_on()
            }
            stage => {
                self.database.commit(self.own);
                if self.flaw == Flaw::AddsLater && stage == 2 {
                    self.own.stage = stage;
                    self.own.rows.push(added);
                    return self.go_on();
                }
                self.reply(Reply::Told(true))
            }
        }
    }
}
