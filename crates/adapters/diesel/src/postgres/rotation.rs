//! Rotations on PostgreSQL: a single statement for all, in one round trip. It spends the tokens by
//! compare-and-set, inserts the successors of those that it spent, and adds events to their sessions.
//!
//! It does not lock or write any session's row. A session that ends concurrently still ends: the
//! rotation then came first, and its successor belongs to an ended session.

use crate::engine::Engine;
use crate::sessions::columns;
use crate::time::{DbTimestamp, UtcTime};
use crate::tokens::NewTokenRow;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text};
use portcullis_ports::{Rotation, StoreError, TxMode};

/// One array per column, because a prepared statement accepts arrays of any length.
#[derive(QueryId, Default)]
struct Rotate {
    jti: Vec<String>,
    user_id: Vec<i64>,
    at: Vec<DbTimestamp>,
    key: Vec<Option<Vec<u8>>>,
    successor_jti: Vec<String>,
    created_at: Vec<DbTimestamp>,
    expires_at: Vec<DbTimestamp>,
    sid: Vec<Option<String>>,
    session_cutoff: Vec<DbTimestamp>,
    verified_only: Vec<bool>,
    ip_address: Vec<Option<String>>,
    user_agent: Vec<Option<String>>,
}

impl Rotate {
    fn push(&mut self, rotation: &Rotation) -> Result<(), StoreError> {
        let successor = NewTokenRow::of(&rotation.successor)?;
        self.jti.push(rotation.spent.to_string());
        self.user_id.push(successor.user_id);
        self.at.push(DbTimestamp::new(rotation.at));
        self.key.push(rotation.key.map(|key| key.0.to_vec()));
        self.successor_jti.push(successor.jti);
        self.created_at.push(successor.created_at);
        self.expires_at.push(successor.expires_at);
        self.sid.push(rotation.successor.session_id.map(|id| id.to_string()));
        self.session_cutoff.push(DbTimestamp::new(rotation.session_cutoff));
        self.verified_only.push(rotation.verified_only);
        let (ip_address, user_agent) = columns(&rotation.client);
        self.ip_address.push(ip_address);
        self.user_agent.push(user_agent);
        Ok(())
    }
}

impl Query for Rotate {
    type SqlType = BigInt;
}

impl RunQueryDsl<PgConnection> for Rotate {}

/// Skips inconsistent rows: the code that reads single rows reports them. If several rows of `wanted`
/// name one token, PostgreSQL uses one of them. A statement that waited for a row lock checks the row
/// again and finds it spent.
///
/// Written so that PostgreSQL can only find the tokens by `jti` and the accounts one by one. In an
/// earlier form, it started with the accounts and read all tokens that a busy account ever had.
impl QueryFragment<Pg> for Rotate {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH wanted AS (SELECT * FROM unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.jti)?;
        out.push_sql("::text[], ");
        out.push_bind_param::<Array<BigInt>, _>(&self.user_id)?;
        out.push_sql("::bigint[], ");
        out.push_bind_param::<Array<UtcTime>, _>(&self.at)?;
        out.push_sql("::timestamptz[], ");
        out.push_bind_param::<Array<Nullable<Binary>>, _>(&self.key)?;
        out.push_sql("::bytea[], ");
        out.push_bind_param::<Array<Text>, _>(&self.successor_jti)?;
        out.push_sql("::text[], ");
        out.push_bind_param::<Array<UtcTime>, _>(&self.created_at)?;
        out.push_sql("::timestamptz[], ");
        out.push_bind_param::<Array<UtcTime>, _>(&self.expires_at)?;
        out.push_sql("::timestamptz[], ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.sid)?;
        out.push_sql("::text[], ");
        out.push_bind_param::<Array<UtcTime>, _>(&self.session_cutoff)?;
        out.push_sql("::timestamptz[], ");
        out.push_bind_param::<Array<Bool>, _>(&self.verified_only)?;
        out.push_sql("::boolean[], ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.ip_address)?;
        out.push_sql("::text[], ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.user_agent)?;
        out.push_sql(STATEMENT);
        Ok(())
    }
}

/// Rest of the statement, after the arrays.
const STATEMENT: &str = "::text[]) WITH ORDINALITY AS wanted (jti, user_id, at, key, successor_jti, created_at, \
    expires_at, sid, session_cutoff, verified_only, ip_address, user_agent, position)), \
    live AS (\
        SELECT wanted.*, session.id AS session_id FROM wanted \
        JOIN refresh_tokens AS token ON token.jti = wanted.jti \
        JOIN sessions AS session ON session.id = token.session_id \
        WHERE token.user_id IS NOT DISTINCT FROM wanted.user_id \
            AND (SELECT is_active AND (email_verified_at IS NOT NULL OR NOT wanted.verified_only) \
                FROM users WHERE users.id = wanted.user_id) \
            AND session.user_id IS NOT DISTINCT FROM wanted.user_id \
            AND session.sid IS NOT DISTINCT FROM wanted.sid \
            AND session.ended_at IS NULL AND session.created_at > wanted.session_cutoff \
            AND isfinite(session.created_at) AND NOT token.revoked AND token.expires_at > wanted.at \
            AND isfinite(token.expires_at) AND isfinite(token.created_at) \
            AND token.spent_at IS NULL AND token.spent_key IS NULL AND token.successor_jti IS NULL \
        ORDER BY wanted.position FOR UPDATE OF token\
    ), \
    spent AS (\
        UPDATE refresh_tokens AS token \
        SET revoked = true, spent_at = live.at, spent_key = live.key, successor_jti = live.successor_jti, \
            server_spent_at = clock_timestamp() \
        FROM live WHERE token.jti = live.jti AND NOT token.revoked \
        RETURNING live.*\
    ), \
    added AS (\
        INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked, created_at, session_id) \
        SELECT successor_jti, user_id, expires_at, false, created_at, session_id FROM spent\
    ), \
    told AS (\
        INSERT INTO session_events (session_id, at, kind, ip_address, user_agent) \
        SELECT session_id, at, 'rotated', ip_address, user_agent FROM spent\
    ) \
    SELECT position FROM spent";

/// Rotates the tokens. Returns for each whether it was rotated.
pub(super) fn rotate(connection: &mut PgConnection, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
    // All statements lock tokens in the same order, to avoid deadlocks.
    let mut order: Vec<_> = rotations.iter().enumerate().collect();
    order.sort_unstable_by_key(|(_, rotation)| rotation.spent);
    let mut statement = Rotate::default();
    order.iter().try_for_each(|(_, rotation)| statement.push(rotation))?;
    let positions = statement.load::<i64>(connection).map_err(|error| PgConnection::classify(&error, TxMode::Write))?;
    let mut rotated = vec![false; rotations.len()];
    for position in positions {
        let index = usize::try_from(position - 1).ok().and_then(|at| order.get(at)).map(|(index, _)| *index);
        if let Some(rotated) = index.and_then(|index| rotated.get_mut(index)) {
            *rotated = true;
        }
    }
    Ok(rotated)
}
