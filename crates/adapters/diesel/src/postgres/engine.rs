//! What PostgreSQL's errors mean. The client library tells a lost connection whatever language
//! the server speaks; the rest of what is no fault of the statement is known by its English
//! message, since diesel does not pass SQLSTATE on. And how a purge has its pages written.

use crate::engine::Engine;
use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use diesel::result::{DatabaseErrorKind, Error, QueryResult};
use portcullis_ports::{Mode, StoreError};

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

/// Pages that a backend had to write wait with the operating system, by default, until a checkpoint
/// wants all of them on the disk at once, and then every commit waits too.
const FLUSH: &str = "SELECT set_config('backend_flush_after', '256kB', true) \
                     WHERE current_setting('backend_flush_after') = '0'";

impl Engine for PgConnection {
    fn classify(error: &Error, mode: Mode) -> StoreError {
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
            DatabaseErrorKind::ReadOnlyTransaction if mode == Mode::Read => {
                StoreError::Failed("a reading transaction does not write".to_owned())
            }
            // A primary that was demoted, or a standby.
            DatabaseErrorKind::ReadOnlyTransaction => unavailable("the server is read-only"),
            DatabaseErrorKind::SerializationFailure => StoreError::Busy("a transaction in the way".to_owned()),
            _ => by_message(information.message()),
        }
    }

    fn write_in_background(&mut self) -> QueryResult<()> {
        self.batch_execute(FLUSH)
    }
}

/// The first line alone: what follows may quote values.
fn by_message(message: &str) -> StoreError {
    let line = message.lines().next().unwrap_or_default().to_owned();
    let is_any = |known: &[&str]| known.iter().any(|known| line.contains(known));
    if is_any(&BUSY) {
        StoreError::Busy(line)
    } else if is_any(&UNAVAILABLE) {
        StoreError::Unavailable(line)
    } else {
        StoreError::Failed(line)
    }
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_troubles_are_outages() {
        assert!(by_message("the database system is starting up").is_outage());
        assert!(by_message("could not extend file \"base/5/1\": No space left on device").is_outage());
        assert!(matches!(by_message("canceling statement due to lock timeout"), StoreError::Busy(_)));
        let failed = by_message("value too long\nDETAIL: Key (email)=(a@b.org)");
        assert_eq!(failed, StoreError::Failed("value too long".to_owned()));
    }
}
