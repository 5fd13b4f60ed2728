//! Checks that a server responds and takes writes.

use super::engine;
use crate::engine::Engine;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use portcullis_ports::{StoreError, TxMode};

/// Looks up an account, as a call would. No account has id 0. A standby is read-only, too.
const READ: &str = "SELECT current_setting('transaction_read_only')::boolean AS read_only \
                    FROM (SELECT) AS one LEFT JOIN users ON users.id = 0";
/// Writes to the write-ahead log alone, and so waits for a synchronous standby, as every commit does. Needs no
/// privilege. A transaction that is read-only outside of a standby could write to the log.
const WRITE: &str = "SELECT CASE WHEN current_setting('transaction_read_only')::boolean THEN true \
                     ELSE pg_logical_emit_message(true, 'portcullis', '') IS NULL END AS read_only";

/// Asks only whether the server takes writes, before there are tables.
const READ_ONLY: &str = "SELECT current_setting('transaction_read_only')::boolean AS read_only";

/// Row of the queries.
#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    read_only: bool,
}

/// Runs one statement. Returns an error if the server takes no writes.
pub(super) fn check(connection: &mut PgConnection, mode: TxMode) -> Result<(), StoreError> {
    match mode {
        TxMode::Read => ask(connection, READ, mode),
        TxMode::Write => ask(connection, WRITE, mode),
    }
}

/// Returns an error if the server takes no writes. Needs no tables.
pub(super) fn require_writable(connection: &mut PgConnection) -> Result<(), StoreError> {
    ask(connection, READ_ONLY, TxMode::Read)
}

fn ask(connection: &mut PgConnection, question: &str, mode: TxMode) -> Result<(), StoreError> {
    let answer = diesel::sql_query(question).get_result::<Answer>(connection);
    let answer = answer.map_err(|error| PgConnection::classify(&error, mode))?;
    if answer.read_only { Err(engine::read_only()) } else { Ok(()) }
}
