//! Rotation on SQLite, in three statements without a read before: a compare-and-set with all conditions
//! for spending a token, the successor's row, and the session's event.

use crate::engine::Engine;
use crate::schema::{refresh_tokens, session_events};
use crate::sessions::NewEventRow;
use crate::stored::{RowRef, Stored};
use crate::time::{DbTimestamp, UtcTime};
use crate::tokens::NewTokenRow;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
use diesel::sqlite::Sqlite;
use portcullis_ports::{Rotation, StoreError, TxMode};

/// Spends a token and returns the columns in which damage could make a token look live. Prepared once
/// per connection; diesel's own updates are built each time.
#[derive(QueryId)]
struct Spend {
    jti: String,
    user_id: i64,
    at: DbTimestamp,
    key: Option<Vec<u8>>,
    successor_jti: String,
    sid: String,
    session_cutoff: DbTimestamp,
    verified_only: bool,
}

impl Query for Spend {
    type SqlType = (BigInt, UtcTime, UtcTime, BigInt, UtcTime);
}

impl RunQueryDsl<SqliteConnection> for Spend {}

/// Skips a live row in which a spending is half recorded: the code that reads single rows reports it.
impl QueryFragment<Sqlite> for Spend {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("UPDATE refresh_tokens SET revoked = 1, spent_at = ");
        out.push_bind_param::<UtcTime, _>(&self.at)?;
        out.push_sql(", spent_key = ");
        out.push_bind_param::<Nullable<Binary>, _>(&self.key)?;
        out.push_sql(", successor_jti = ");
        out.push_bind_param::<Text, _>(&self.successor_jti)?;
        out.push_sql(" WHERE jti = ");
        out.push_bind_param::<Text, _>(&self.jti)?;
        out.push_sql(" AND revoked = 0 AND expires_at > ");
        out.push_bind_param::<UtcTime, _>(&self.at)?;
        out.push_sql(" AND spent_at IS NULL AND spent_key IS NULL AND successor_jti IS NULL AND user_id = ");
        out.push_bind_param::<BigInt, _>(&self.user_id)?;
        out.push_sql(" AND EXISTS (SELECT 1 FROM users WHERE users.id = user_id AND is_active = 1 AND (email_verified_at IS NOT NULL OR NOT ");
        out.push_bind_param::<Bool, _>(&self.verified_only)?;
        out.push_sql("))");
        out.push_sql(" AND EXISTS (SELECT 1 FROM sessions WHERE sessions.id = session_id AND sessions.user_id = refresh_tokens.user_id AND sid = ");
        out.push_bind_param::<Text, _>(&self.sid)?;
        out.push_sql(" AND ended_at IS NULL AND sessions.created_at > ");
        out.push_bind_param::<UtcTime, _>(&self.session_cutoff)?;
        out.push_sql(") RETURNING id, expires_at, created_at, session_id, ");
        out.push_sql("(SELECT sessions.created_at FROM sessions WHERE sessions.id = session_id)");
        Ok(())
    }
}

type SpentRow = (i64, Stored<DateTime<Utc>>, Stored<DateTime<Utc>>, i64, Stored<DateTime<Utc>>);

/// Rotates a token in the open transaction. Returns whether it was rotated. After an error of the
/// database or about a damaged row, the transaction must not be committed.
pub(super) fn rotate(connection: &mut SqliteConnection, rotation: &Rotation) -> Result<bool, StoreError> {
    let classify = |error| SqliteConnection::classify(&error, TxMode::Write);
    let Some(session) = rotation.successor.session_id else { return Ok(false) };
    let successor = NewTokenRow::of(&rotation.successor)?;
    let spend = Spend {
        sid: session.to_string(),
        session_cutoff: DbTimestamp::new(rotation.session_cutoff),
        verified_only: rotation.verified_only,
        jti: rotation.spent.to_string(),
        user_id: successor.user_id,
        at: DbTimestamp::new(rotation.at),
        key: rotation.key.map(|key| key.0.to_vec()),
        successor_jti: successor.jti.clone(),
    };
    let spent = spend.get_result::<SpentRow>(connection).optional().map_err(classify)?;
    let Some((id, expires_at, created_at, session, started_at)) = spent else { return Ok(false) };
    let at = RowRef { table: "refresh_tokens", id };
    at.read("expires_at", expires_at)?;
    at.read("created_at", created_at)?;
    RowRef { table: "sessions", id: session }.read("created_at", started_at)?;
    let successor = NewTokenRow { session_id: Some(session), ..successor };
    diesel::insert_into(refresh_tokens::table).values(successor).execute(connection).map_err(classify)?;
    let event = NewEventRow::of(session, &rotation.event());
    diesel::insert_into(session_events::table).values(event).execute(connection).map_err(classify)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_domain::sessions::{ClientInfo, EventKind, SessionEvent};

    /// Returns whether diesel finds the prepared statement without building its text.
    fn is_prepared_once<Q: QueryId>(_: &Q) -> bool {
        Q::HAS_STATIC_QUERY_ID
    }

    #[test]
    fn what_a_rotation_adds_is_prepared_once() {
        let at = DateTime::UNIX_EPOCH;
        let (jti, time) = (String::new(), DbTimestamp::new(at));
        let token =
            NewTokenRow { jti, user_id: 1, expires_at: time, revoked: false, created_at: time, session_id: None };
        assert!(is_prepared_once(&diesel::insert_into(refresh_tokens::table).values(token)));
        let event = NewEventRow::of(1, &SessionEvent { at, kind: EventKind::Rotated, client: ClientInfo::default() });
        assert!(is_prepared_once(&diesel::insert_into(session_events::table).values(event)));
    }
}
