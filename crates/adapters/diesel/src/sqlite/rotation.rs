//! A rotation on SQLite, in two statements of which neither reads first: a compare-and-set that
//! knows all that a token needs to be spent, and the successor's row.

use crate::engine::Engine;
use crate::schema::refresh_tokens;
use crate::stored::{Row, Stored};
use crate::time::{Moment, UtcTime};
use crate::tokens::NewTokenRow;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel::sqlite::Sqlite;
use portcullis_ports::{Mode, Rotation, StoreError};

/// Spends a token and gives the columns in which damage could pass for a live token. Prepared
/// once for a connection: diesel's own updates are spelled out every time.
#[derive(QueryId)]
struct Spend {
    jti: String,
    user_id: i64,
    at: Moment,
    key: Option<Vec<u8>>,
    successor_jti: String,
}

impl Query for Spend {
    type SqlType = (BigInt, UtcTime, UtcTime);
}

impl RunQueryDsl<SqliteConnection> for Spend {}

/// A live row in which a spending is half recorded is left to whoever reads rows one by one.
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
        out.push_sql(" AND EXISTS (SELECT 1 FROM users WHERE users.id = user_id AND is_active = 1)");
        out.push_sql(" RETURNING id, expires_at, created_at");
        Ok(())
    }
}

type SpentRow = (i64, Stored<DateTime<Utc>>, Stored<DateTime<Utc>>);

/// Exchanges a token, in the transaction that the connection has begun; whether it could be.
///
/// # Errors
/// Of the database, or of a row that is damaged: the transaction must not be committed then.
pub(super) fn rotate(connection: &mut SqliteConnection, rotation: &Rotation) -> Result<bool, StoreError> {
    let classify = |error| SqliteConnection::classify(&error, Mode::Write);
    let successor = NewTokenRow::of(&rotation.successor)?;
    let spend = Spend {
        jti: rotation.spent.to_string(),
        user_id: successor.user_id,
        at: Moment::new(rotation.at),
        key: rotation.key.map(|key| key.0.to_vec()),
        successor_jti: successor.jti.clone(),
    };
    let Some((id, expires_at, created_at)) = spend.get_result::<SpentRow>(connection).optional().map_err(classify)?
    else {
        return Ok(false);
    };
    let at = Row { table: "refresh_tokens", id };
    at.read("expires_at", expires_at)?;
    at.read("created_at", created_at)?;
    diesel::insert_into(refresh_tokens::table).values(successor).execute(connection).map_err(classify)?;
    Ok(true)
}
