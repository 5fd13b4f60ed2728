//! Refresh tokens, as rows of `refresh_tokens`. Their states change by compare-and-set on the number of
//! affected rows, so exactly one concurrent caller succeeds on both databases.

use crate::engine::columns_of;
use crate::schema::{refresh_tokens, sessions, users};
use crate::server_clock::{ServerNow, SpentAge};
use crate::sessions::SessionRow;
use crate::statement::Statement;
use crate::stored::{RowRef, Stored};
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{Session, SessionId};
use portcullis_domain::tokens::{IdempotencyKeyDigest, Jti, RefreshState, RefreshToken, SpendRecord};
use portcullis_ports::{FoundToken, RefreshTokenRepository, RowCursor, RowRange, StoreError};
use std::time::Duration;

diesel::alias!(refresh_tokens as successors: Successors, sessions as adopted: Adopted);

#[derive(Queryable, Selectable)]
#[diesel(table_name = refresh_tokens)]
struct TokenRow {
    id: i64,
    user_id: Stored<i64>,
    expires_at: Stored<DateTime<Utc>>,
    revoked: Stored<bool>,
    created_at: Stored<DateTime<Utc>>,
    spent_at: Option<Stored<DateTime<Utc>>>,
    spent_key: Option<Stored<Vec<u8>>>,
    successor_jti: Option<Stored<String>>,
    session_id: Option<Stored<i64>>,
}

/// Reason to reject a row as corrupt. No known program writes such a row: Portcullis records the
/// spending and revokes the token in one statement, and the FastAPI application leaves these columns
/// null.
const LIVE_AND_SPENT: &str = "not revoked, and yet spent";

/// Successor of a spent token.
#[derive(Queryable)]
struct SuccessorRow {
    id: i64,
    expires_at: Stored<DateTime<Utc>>,
    revoked: Stored<bool>,
    created_at: Stored<DateTime<Utc>>,
    spent_at: Option<Stored<DateTime<Utc>>>,
    spent_key: Option<Stored<Vec<u8>>>,
    successor_jti: Option<Stored<String>>,
    session_id: Option<i64>,
}

/// Row of a new live token.
#[derive(Insertable)]
#[diesel(table_name = refresh_tokens, treat_none_as_default_value = false)]
pub(crate) struct NewTokenRow {
    pub(crate) jti: String,
    pub(crate) user_id: i64,
    pub(crate) expires_at: DbTimestamp,
    pub(crate) revoked: bool,
    pub(crate) created_at: DbTimestamp,
    pub(crate) session_id: Option<i64>,
}

impl NewTokenRow {
    /// Creates the row of a token, without a session.
    pub(crate) fn of(token: &RefreshToken) -> Result<Self, StoreError> {
        if token.state != RefreshState::Live {
            return Err(StoreError::Failed("a new token is live".to_owned()));
        }
        Ok(Self {
            jti: token.jti.to_string(),
            user_id: token.user_id.get(),
            expires_at: DbTimestamp::new(token.expires_at),
            revoked: false,
            created_at: DbTimestamp::new(token.created_at),
            session_id: None,
        })
    }
}

/// Token; `is_active` of its account; whether the account's email address is verified; seconds since the
/// token was spent; its successor, if any; the session it was added to; and the session that
/// [`SessionId::for_legacy_token`] derives from its `jti`.
type FoundRow =
    (TokenRow, Stored<bool>, bool, Option<f64>, Option<SuccessorRow>, Option<SessionRow>, Option<SessionRow>);

impl TokenRow {
    fn token(self, jti: Jti, session: Option<&Session>) -> Result<RefreshToken, StoreError> {
        let at = RowRef { table: "refresh_tokens", id: self.id };
        let revoked = at.read("revoked", self.revoked)?;
        let key = self.spent_key.map(|key| read_key(at, key)).transpose()?;
        let session_id = self.session_id.map(|id| at.read("session_id", id)).transpose()?;
        let state = match (revoked, self.spent_at, self.successor_jti) {
            // Its session was purged.
            _ if session_id.is_some() && session.is_none() => RefreshState::Revoked,
            (false, None, None) if key.is_none() => RefreshState::Live,
            (false, _, _) => return Err(at.corrupt("revoked", LIVE_AND_SPENT)),
            (true, Some(spent_at), Some(successor)) => RefreshState::Spent(SpendRecord {
                at: at.read("spent_at", spent_at)?,
                key,
                successor: read_successor(at, successor)?,
            }),
            (true, _, _) => RefreshState::Revoked,
        };
        Ok(RefreshToken {
            jti,
            user_id: UserId::new(at.read("user_id", self.user_id)?),
            session_id: session.map(|session| session.id),
            created_at: at.read("created_at", self.created_at)?,
            expires_at: at.read("expires_at", self.expires_at)?,
            state,
        })
    }
}

fn read_key(at: RowRef, key: Stored<Vec<u8>>) -> Result<IdempotencyKeyDigest, StoreError> {
    at.code("spent_key", key).map(IdempotencyKeyDigest)
}

fn read_successor(at: RowRef, successor: Stored<String>) -> Result<Jti, StoreError> {
    let text = at.read("successor_jti", successor)?;
    Jti::parse(&text).ok_or_else(|| at.corrupt("successor_jti", "not a token identifier"))
}

impl SuccessorRow {
    /// Returns the successor if it is live.
    fn live(self, spent: &RefreshToken, session: Option<i64>) -> Result<Option<RefreshToken>, StoreError> {
        let RefreshState::Spent(spend_record) = &spent.state else { return Ok(None) };
        let at = RowRef { table: "refresh_tokens", id: self.id };
        let live = !at.read("revoked", self.revoked)?;
        if live && (self.spent_at.is_some() || self.spent_key.is_some() || self.successor_jti.is_some()) {
            return Err(at.corrupt("revoked", LIVE_AND_SPENT));
        }
        let token = RefreshToken {
            jti: spend_record.successor,
            user_id: spent.user_id,
            session_id: spent.session_id.filter(|_| self.session_id == session),
            created_at: at.read("created_at", self.created_at)?,
            expires_at: at.read("expires_at", self.expires_at)?,
            state: RefreshState::Live,
        };
        Ok(live.then_some(token))
    }
}

/// Converts seconds to a time span, negative ones to zero. `None` if it is out of range.
fn seconds(seconds: f64) -> Option<TimeDelta> {
    let span = Duration::try_from_secs_f64(seconds.max(0.0)).ok()?;
    TimeDelta::from_std(span).ok()
}

fn found(jti: Jti, row: FoundRow) -> Result<FoundToken, StoreError> {
    let (row, is_active, account_verified, spent_age, successor, own, bearing) = row;
    let session = own.or(bearing);
    let number = session.as_ref().map(|session| session.id);
    let session = session.map(Session::try_from).transpose()?;
    if spent_age.is_some_and(f64::is_nan) {
        return Err(RowRef { table: "refresh_tokens", id: row.id }.corrupt("server_spent_at", "out of range"));
    }
    let token = row.token(jti, session.as_ref())?;
    let account = RowRef { table: "users", id: token.user_id.get() };
    let account_active = account.read("is_active", is_active)?;
    let live_successor = successor.map(|row| row.live(&token, number)).transpose()?.flatten();
    let spent_age = spent_age.filter(|_| matches!(token.state, RefreshState::Spent(_))).and_then(seconds);
    Ok(FoundToken { token, account_active, account_verified, live_successor, spent_age, session })
}

impl RefreshTokenRepository for Transaction<'_> {
    fn insert(&mut self, token: &RefreshToken) -> Result<(), StoreError> {
        let mut row = NewTokenRow::of(token)?;
        if let Some(id) = token.session_id {
            let query = sessions::table.filter(sessions::sid.eq(id.to_string())).select(sessions::id);
            let number = self.first::<i64>(query)?;
            let missing = || StoreError::Failed("there is no such session".to_owned());
            row.session_id = Some(number.ok_or_else(|| self.fail(missing()))?);
        }
        self.change(diesel::insert_into(refresh_tokens::table).values(row)).map(drop)
    }

    fn find(&mut self, jti: Jti) -> Result<Option<FoundToken>, StoreError> {
        let successor = successors.field(refresh_tokens::jti).nullable().eq(refresh_tokens::successor_jti);
        let own = sessions::id.nullable().eq(refresh_tokens::session_id);
        let bearing = adopted.field(sessions::sid).eq(SessionId::for_legacy_token(jti).to_string());
        let query = refresh_tokens::table
            .inner_join(users::table)
            .left_join(successors.on(successor))
            .left_join(sessions::table.on(own))
            .left_join(adopted.on(bearing.and(refresh_tokens::session_id.is_null())))
            .filter(refresh_tokens::jti.eq(jti.to_string()))
            .select((
                columns_of::<TokenRow>(),
                users::is_active,
                users::email_verified_at.is_not_null(),
                SpentAge,
                successors
                    .fields((
                        refresh_tokens::id,
                        refresh_tokens::expires_at,
                        refresh_tokens::revoked,
                        refresh_tokens::created_at,
                        refresh_tokens::spent_at,
                        refresh_tokens::spent_key,
                        refresh_tokens::successor_jti,
                        refresh_tokens::session_id,
                    ))
                    .nullable(),
                columns_of::<Option<SessionRow>>(),
                adopted
                    .fields((
                        sessions::id,
                        sessions::sid,
                        sessions::user_id,
                        sessions::created_at,
                        sessions::ended_at,
                        sessions::device,
                        sessions::source,
                        sessions::authenticated_at,
                        sessions::methods,
                    ))
                    .nullable(),
            ));
        self.first::<FoundRow>(query)?.map(|row| found(jti, row)).transpose()
    }

    fn spend(&mut self, jti: Jti, spend_record: &SpendRecord) -> Result<bool, StoreError> {
        let at = DbTimestamp::new(spend_record.at);
        let live = refresh_tokens::table
            .filter(refresh_tokens::jti.eq(jti.to_string()))
            .filter(refresh_tokens::revoked.eq(false))
            .filter(refresh_tokens::expires_at.gt(at));
        self.changed_one(diesel::update(live).set((
            refresh_tokens::revoked.eq(true),
            refresh_tokens::spent_at.eq(at),
            refresh_tokens::spent_key.eq(spend_record.key.as_ref().map(|key| key.0.as_slice())),
            refresh_tokens::successor_jti.eq(spend_record.successor.to_string()),
            refresh_tokens::server_spent_at.eq(ServerNow),
        )))
    }

    fn revoke(&mut self, jti: Jti, _now: DateTime<Utc>) -> Result<bool, StoreError> {
        let live = refresh_tokens::table
            .filter(refresh_tokens::jti.eq(jti.to_string()))
            .filter(refresh_tokens::revoked.eq(false));
        self.changed_one(diesel::update(live).set(refresh_tokens::revoked.eq(true)))
    }

    fn scan(&mut self, after: RowCursor, limit: u32, cutoff: DateTime<Utc>) -> Result<Option<RowRange>, StoreError> {
        let expired = self.link.expired("expires_at");
        let scan = format!(
            "SELECT max(id), count(CASE WHEN {expired} THEN 1 END) FROM \
             (SELECT id, expires_at FROM refresh_tokens WHERE id > ? ORDER BY id LIMIT ?) AS looked_at"
        );
        let values = [DbTimestamp::new(cutoff).into(), after.0.into(), limit.into()];
        self.scan_rows(Statement::new(scan, values), after, cutoff)
    }

    fn purge(&mut self, range: &RowRange, limit: u32) -> Result<u64, StoreError> {
        let expired = self.link.expired("expires_at");
        let delete = format!(
            "DELETE FROM refresh_tokens WHERE id IN (SELECT id FROM refresh_tokens \
             WHERE id > ? AND id <= ? AND {expired} ORDER BY id LIMIT ?)"
        );
        let cutoff = DbTimestamp::new(range.cutoff);
        self.purge_rows(Statement::new(
            delete,
            [range.after.0.into(), range.last.0.into(), cutoff.into(), limit.into()],
        ))
    }
}
