//! Handles servers whose messages are not in English. diesel exposes neither SQLSTATE nor the severity,
//! so an error of such a server is classified by the statement's duration: the server cancels it at a
//! timeout.

use crate::engine::Engine;
use diesel::connection::{Instrumentation, InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};
use diesel::sql_types::BigInt;
use portcullis_ports::{Clock, StoreError, TxMode};
use std::cell::Cell;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Tolerance of that comparison: a statement may seem to end slightly before its timeout.
const SLACK: Duration = Duration::from_millis(50);
const LIMITS: &str = "SELECT coalesce(max(setting::bigint) FILTER (WHERE name = 'statement_timeout'), 0) AS statement, \
    coalesce(max(setting::bigint) FILTER (WHERE name = 'lock_timeout'), 0) AS lock, \
    coalesce(max(setting::bigint) FILTER (WHERE name = 'deadlock_timeout'), 0) AS deadlock FROM pg_settings";

/// Language of a server's messages.
#[derive(Default)]
pub(super) struct Language {
    /// Whether messages are not in English. Set if the server refuses to let the role choose the
    /// language.
    foreign: OnceLock<bool>,
}

impl Language {
    /// Returns whether messages are not in English, as far as is known yet.
    pub(super) fn is_foreign(&self) -> bool {
        self.foreign.get().copied().unwrap_or_default()
    }

    /// Switches the server's messages to English. If the server refuses, returns the connection's
    /// timeouts.
    pub(super) fn settle(&self, connection: &mut PgConnection) -> Result<Option<Limits>, StoreError> {
        let foreign = match self.foreign.get() {
            Some(foreign) => *foreign,
            None => match connection.batch_execute("SET lc_messages = 'C'") {
                Err(Error::DatabaseError(DatabaseErrorKind::Unknown, refusal)) => self.refused(refusal.message()),
                outcome => {
                    return outcome.map(|()| None).map_err(|error| PgConnection::classify(&error, TxMode::Write));
                }
            },
        };
        foreign.then(|| Limits::of(connection)).transpose()
    }

    fn refused(&self, message: &str) -> bool {
        let foreign = !["permission denied", "unrecognized"].iter().any(|english| message.starts_with(english));
        if self.foreign.set(foreign).is_ok() && foreign {
            tracing::warn!(
                target: "app",
                "PostgreSQL's messages are not in English, and this role may not change that: a full disk there \
                 answers 500 instead of 503. Run ALTER ROLE … SET lc_messages = 'C' for the role of DATABASE_URL"
            );
        }
        foreign
    }
}

/// Timeouts of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    statement: Option<Duration>,
    lock: Option<Duration>,
}

/// Row of [`LIMITS`]: timeouts in milliseconds, 0 for none.
#[derive(QueryableByName)]
struct ServerLimits {
    #[diesel(sql_type = BigInt)]
    statement: i64,
    #[diesel(sql_type = BigInt)]
    lock: i64,
    #[diesel(sql_type = BigInt)]
    deadlock: i64,
}

impl Limits {
    fn of(connection: &mut PgConnection) -> Result<Self, StoreError> {
        let told = diesel::sql_query(LIMITS).get_result::<ServerLimits>(connection);
        told.map(Self::new).map_err(|error| PgConnection::classify(&error, TxMode::Read))
    }

    /// Creates the timeouts from milliseconds, where 0 means none. `lock` is the shorter of the lock
    /// timeout and the deadlock timeout.
    fn new(ServerLimits { statement, lock, deadlock }: ServerLimits) -> Self {
        let limit = |millis| u64::try_from(millis).ok().filter(|millis| *millis > 0).map(Duration::from_millis);
        let lock = limit(lock).into_iter().chain(limit(deadlock)).min();
        Self { statement: limit(statement), lock }
    }

    /// Returns the timeout that a failed statement of this duration hit.
    fn met(&self, took: Duration) -> Option<Limit> {
        let met =
            |limit: Option<Duration>| limit.is_some_and(|limit| took >= limit.saturating_sub(SLACK.min(limit / 4)));
        if met(self.statement) { Some(Limit::Statement) } else { met(self.lock).then_some(Limit::Lock) }
    }
}

/// Timeout that the server enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Statement,
    Lock,
}

thread_local! {
    /// Timeout that the last failed statement on this thread hit. Per thread, because diesel's
    /// connection has no place for it, and an error is classified on the thread that sent the
    /// statement.
    static MET: Cell<Option<Limit>> = const { Cell::new(None) };
}

/// Takes the timeout that the last failed statement on this thread hit.
pub(super) fn met() -> Option<Limit> {
    MET.take()
}

/// Measures the duration of a connection's statements.
pub(super) fn stopwatch(
    limits: Limits,
    clock: Arc<dyn Clock>,
    mut log: Option<impl Instrumentation>,
) -> impl Instrumentation {
    let mut started = clock.monotonic();
    move |event: InstrumentationEvent<'_>| {
        match &event {
            InstrumentationEvent::StartQuery { .. } => started = clock.monotonic(),
            InstrumentationEvent::FinishQuery { error: Some(Error::DatabaseError(kind, error)), .. } => {
                let unclear = matches!(kind, DatabaseErrorKind::Unknown) && !names_something(&**error);
                let took = clock.monotonic().saturating_sub(started);
                MET.set(unclear.then(|| limits.met(took)).flatten());
            }
            _ => {}
        }
        if let Some(log) = &mut log {
            log.on_connection_event(event);
        }
    }
}

/// Returns whether an error names a table, column or constraint, so that the statement is at fault. Its
/// position in the statement does not tell: a lock timeout while PostgreSQL looks up a table has one, too.
pub(super) fn names_something(error: &(dyn DatabaseErrorInformation + Send + Sync)) -> bool {
    error.table_name().is_some() || error.column_name().is_some() || error.constraint_name().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_statement_is_judged_by_the_limits_of_its_connection() {
        let limits = |statement, lock, deadlock| Limits::new(ServerLimits { statement, lock, deadlock });
        let millis = Duration::from_millis;
        let usual = limits(5000, 3000, 1000);
        assert_eq!([949, 950, 4949].map(|took| usual.met(millis(took))), [None, Some(Limit::Lock), Some(Limit::Lock)]);
        assert_eq!(usual.met(millis(4950)), Some(Limit::Statement));
        // A short timeout has a smaller tolerance, so that an immediate error does not match it.
        let short = limits(40, 0, 1000);
        assert_eq!([0, 29, 30].map(|took| short.met(millis(took))), [None, None, Some(Limit::Statement)]);
        assert_eq!(limits(0, 0, 0).met(Duration::from_secs(3600)), None);
    }
}
