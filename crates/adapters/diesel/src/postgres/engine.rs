//! Classifies PostgreSQL's errors. The client library reports a lost connection regardless of the
//! server's language. Other errors that are not the statement's fault are recognized by their English
//! message, because diesel does not expose SQLSTATE, or else by the statement's duration. Also sets how
//! a purge flushes its pages.

use super::language::{self, Limit};
use crate::engine::{Engine, Link};
use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use diesel::result::{DatabaseErrorKind, Error, QueryResult};
use portcullis_ports::{StoreError, TxMode};

const BUSY: [&str; 2] = ["canceling statement due to lock timeout", "deadlock detected"];
const UNAVAILABLE: [&str; 11] = [
    "canceling statement due to statement timeout",
    "terminating connection",
    "the database system is",
    "server closed the connection",
    "could not extend file",
    "could not write",
    "No space left on device",
    "out of memory",
    "out of shared memory",
    "too many connections",
    "remaining connection slots",
];

/// By default, pages written by a backend stay in the operating system's cache until a checkpoint
/// flushes all of them at once, which delays every commit.
const FLUSH: &str = "SELECT set_config('backend_flush_after', '256kB', true) \
                     WHERE current_setting('backend_flush_after') = '0'";

impl Engine for PgConnection {
    fn link(&mut self) -> Link<'_> {
        Link::Postgres(self)
    }

    fn classify(error: &Error, mode: TxMode) -> StoreError {
        let met = language::met();
        let Error::DatabaseError(kind, information) = error else {
            return match error {
                Error::BrokenTransactionManager => unavailable("the connection broke"),
                other => StoreError::Failed(other.to_string()),
            };
        };
        match kind {
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
                unavailable("the connection was lost")
            }
            DatabaseErrorKind::ReadOnlyTransaction if mode == TxMode::Read => {
                StoreError::Failed("a reading transaction does not write".to_owned())
            }
            DatabaseErrorKind::ReadOnlyTransaction => read_only(),
            DatabaseErrorKind::SerializationFailure => StoreError::Busy("a transaction in the way".to_owned()),
            DatabaseErrorKind::Unknown if !language::names_something(&**information) => {
                by_message(information.message(), met)
            }
            // The statement is at fault.
            _ => StoreError::Failed(first_line(information.message())),
        }
    }

    fn has_waited_for_lock() -> bool {
        language::met() == Some(Limit::Lock)
    }

    fn write_in_background(&mut self) -> QueryResult<()> {
        self.batch_execute(FLUSH)
    }
}

fn by_message(message: &str, met: Option<Limit>) -> StoreError {
    let line = first_line(message);
    let is_any = |known: &[&str]| known.iter().any(|known| line.contains(known));
    if is_any(&BUSY) {
        StoreError::Busy(line)
    } else if is_any(&UNAVAILABLE) {
        StoreError::Unavailable(line)
    } else {
        match met {
            Some(Limit::Lock) => StoreError::Busy(line),
            Some(Limit::Statement) => StoreError::Unavailable(line),
            None => StoreError::Failed(line),
        }
    }
}

/// Returns the first line only: the rest may quote values.
fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// The server was demoted, or is a standby.
pub(super) fn read_only() -> StoreError {
    StoreError::Unwritable("the server is read-only".to_owned())
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_troubles_are_outages() {
        let by_message = |message| super::by_message(message, None);
        assert!(by_message("the database system is starting up").is_outage());
        assert!(by_message("could not extend file \"base/5/1\": No space left on device").is_outage());
        assert!(matches!(by_message("canceling statement due to lock timeout"), StoreError::Busy(_)));
        let failed = by_message("value too long\nDETAIL: Key (email)=(a@b.org)");
        assert_eq!(failed, StoreError::Failed("value too long".to_owned()));
    }

    #[test]
    fn a_foreign_message_is_judged_by_the_time() {
        let german = "storniere Anfrage wegen Zeitüberschreitung";
        assert!(matches!(by_message(german, Some(Limit::Lock)), StoreError::Busy(_)));
        assert!(by_message(german, Some(Limit::Statement)).is_outage());
        assert!(matches!(by_message(german, None), StoreError::Failed(_)));
        let deadlock = by_message("deadlock detected", Some(Limit::Statement));
        assert!(matches!(deadlock, StoreError::Busy(_)), "an English message says more than the time");
    }
}
