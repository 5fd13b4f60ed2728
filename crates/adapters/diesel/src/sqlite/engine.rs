//! Classifies SQLite's errors. diesel exposes messages but no codes. They are fixed English texts of the
//! embedded library.

use crate::engine::{Engine, Link};
use diesel::SqliteConnection;
use diesel::result::{DatabaseErrorKind, Error};
use portcullis_ports::{StoreError, TxMode};

const BUSY: [&str; 3] = ["database is locked", "database table is locked", "database schema is locked"];
const UNAVAILABLE: [&str; 6] = [
    "database or disk is full",
    "disk I/O error",
    "unable to open database file",
    READ_ONLY,
    "out of memory",
    "locking protocol",
];
/// Errors of writes that do not mean that reads fail. If the disk fails for both, the reads report it.
const UNWRITABLE: [&str; 3] = ["database or disk is full", "disk I/O error", READ_ONLY];
const READ_ONLY: &str = "attempt to write a readonly database";
pub(super) const DAMAGED: [&str; 2] = ["database disk image is malformed", "file is not a database"];

impl Engine for SqliteConnection {
    fn link(&mut self) -> Link<'_> {
        Link::Sqlite(self)
    }

    fn classify(error: &Error, mode: TxMode) -> StoreError {
        match error {
            Error::DatabaseError(DatabaseErrorKind::Unknown, information) => classify(information.message(), mode),
            other => StoreError::Failed(other.to_string()),
        }
    }
}

/// Classifies a message that was not caused by a constraint of the schema.
pub(super) fn classify(message: &str, mode: TxMode) -> StoreError {
    let is_any = |known: &[&str]| known.iter().any(|known| message.starts_with(known));
    let message_owned = message.to_owned();
    if is_any(&BUSY) {
        StoreError::Busy(message_owned)
    } else if mode == TxMode::Read && message == READ_ONLY {
        StoreError::Failed("a reading transaction does not write".to_owned())
    } else if mode == TxMode::Write && is_any(&UNWRITABLE) {
        StoreError::Unwritable(message_owned)
    } else if is_any(&UNAVAILABLE) || is_any(&DAMAGED) {
        StoreError::Unavailable(message_owned)
    } else {
        StoreError::Failed(message_owned)
    }
}
