//! Detects poolers that give each transaction another server connection, such as PgBouncer with
//! `pool_mode=transaction`. There, a connection's timeouts, planner settings and prepared statements
//! would reach other clients, and one statement could run in place of another.

use super::connection::Connector;
use super::refusal::Refusal;
use crate::engine::Engine;
use crate::error::MigrateError;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::{BigInt, Integer};
use portcullis_ports::TxMode;

const BACKEND: &str = "SELECT pg_backend_pid() AS pid, \
    (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS started";
/// Order in which two connections are queried. Chosen so that a pooler that assigns its server
/// connections in turn is always detected.
const ORDER: [usize; 10] = [0, 1, 1, 0, 0, 1, 0, 1, 1, 0];
const ADVICE: &str = "leads to a pooler that gives each transaction another connection, such as PgBouncer with \
    pool_mode=transaction: name PostgreSQL itself, or have the pooler use pool_mode=session";
/// Error text of a server if the parts of one statement reach different server connections.
const GIVEN_AWAY: &str = "prepared statement";

/// Server process of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
struct Backend {
    #[diesel(sql_type = Integer)]
    pid: i32,
    /// Start time of the server, in microseconds: another server may use the same process id.
    #[diesel(sql_type = BigInt)]
    started: i64,
}

/// Returns a connection with no settings applied, or an error if there is a pooler. Leaves no settings
/// on the connections that it opens, because other clients may get them next.
pub(super) fn connect(opener: &Connector) -> Result<PgConnection, MigrateError> {
    for _ in 0..2 {
        if let Some(connection) = ask(opener)? {
            return Ok(connection);
        }
    }
    Err(refused())
}

/// Runs the check. Returns `None` if the first transaction is interrupted. A pooler with
/// `pool_mode=statement` always interrupts it.
fn ask(opener: &Connector) -> Result<Option<PgConnection>, MigrateError> {
    let mut connections = match opener.connect() {
        Ok(first) => vec![first],
        Err(Refusal::Failed(error)) if is_given_away(&error.to_string()) => return Err(refused()),
        Err(refusal) => return Err(refusal.into()),
    };
    match opener.connect() {
        Ok(second) => connections.push(second),
        // The role may be limited to one connection. It is enough to detect a pooler if other clients
        // use it.
        Err(Refusal::Refused(_)) => {}
        Err(refusal) => return Err(refusal.into()),
    }
    let mut answers = Vec::new();
    for number in ORDER {
        let Some(connection) = connections.get_mut(number) else { continue };
        match connection.transaction(|connection| diesel::sql_query(BACKEND).get_result::<Backend>(connection)) {
            Ok(backend) => answers.push((number, backend)),
            Err(Error::DatabaseError(_, error)) if is_given_away(error.message()) => return Err(refused()),
            Err(Error::DatabaseError(DatabaseErrorKind::ClosedConnection, _)) if answers.is_empty() => return Ok(None),
            Err(error) => return Err(PgConnection::classify(&error, TxMode::Read).into()),
        }
    }
    if is_pooled(&answers) { Err(refused()) } else { Ok(connections.into_iter().next()) }
}

/// Returns whether one connection was served by several processes, or several connections by one.
fn is_pooled(answers: &[(usize, Backend)]) -> bool {
    answers.iter().any(|(one, first)| answers.iter().any(|(other, second)| (one == other) != (first == second)))
}

fn is_given_away(message: &str) -> bool {
    message.contains(GIVEN_AWAY)
}

fn refused() -> MigrateError {
    MigrateError::Url(ADVICE.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Returns whether a pooler is detected that assigns server connections like `serve`.
    fn asked(mut serve: impl FnMut(usize) -> i32) -> bool {
        let answers = ORDER.map(|number| (number, Backend { pid: serve(number), started: 1 }));
        is_pooled(&answers)
    }

    #[test]
    fn a_pooler_shows_however_it_takes_its_connections() {
        assert!(asked(|_| 7), "one connection, or the last that was used");
        for size in 2..8 {
            let mut in_turn: VecDeque<_> = (0..size).collect();
            let next = |_| {
                in_turn.rotate_left(1);
                in_turn[0]
            };
            assert!(asked(next), "{size} connections in turn");
        }
        assert!(!asked(|number| [7, 8][number]), "each has its own");
    }

    #[test]
    fn two_servers_may_have_one_process_id() {
        let backend = |started| Backend { pid: 7, started };
        assert!(!is_pooled(&[(0, backend(1)), (1, backend(2)), (0, backend(1))]));
    }
}
