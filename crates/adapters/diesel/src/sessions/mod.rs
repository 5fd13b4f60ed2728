//! Sessions, as rows of `sessions` and `session_events`. They end by compare-and-set on the number of
//! affected rows, so exactly one concurrent caller ends a session on both databases.

mod purge;
mod rows;
mod statements;

pub(crate) use rows::{NewEventRow, OriginRow, SessionRow, columns};
pub(crate) use statements::Dialect;

use crate::registration::UserRow;
use crate::schema::{session_events, sessions, users};
use crate::stored::{RowRef, Stored};
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, Utc};
use diesel::dsl::auto_type;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};
use portcullis_domain::registration::{User, UserId};
use portcullis_domain::sessions::{
    ClientInfo, EventKind, KeepSessions, Session, SessionEnd, SessionEvent, SessionId, SourceHash,
};
use portcullis_ports::{
    BearerIdentity, ListedSession, ResolvedBearer, RowCursor, RowRange, SessionCutoffs, SessionRepository, StoreError,
};
use purge::{DeleteDead, ScanSessions};
use rows::{EventRow, ListedRow, NewSessionRow, listed, read_sid};
use statements::{KeepFilter, Record, RevokeLive, TokenScope};

/// Returns the kinds of events that count as use of a session.
fn uses() -> Vec<&'static str> {
    [EventKind::LogIn, EventKind::Rotated, EventKind::Retried, EventKind::Overlapped].map(EventKind::as_str).into()
}

/// Sessions of an account that have not ended and started after `started_after`.
#[auto_type]
fn open(user_id: i64, started_after: DbTimestamp) -> _ {
    sessions::table
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::created_at.gt(started_after))
}

/// Uses of the outer query's session, latest first.
#[auto_type]
fn last_use() -> _ {
    let kinds: Vec<&'static str> = uses();
    session_events::table
        .filter(session_events::session_id.eq(sessions::id))
        .filter(session_events::kind.eq_any(kinds))
        .order(session_events::id.desc())
}

#[declare_sql_function]
extern "SQL" {
    fn coalesce(number: Nullable<BigInt>, otherwise: BigInt) -> BigInt;
}

fn event_of(session_end: &SessionEnd) -> SessionEvent {
    SessionEvent { at: session_end.at, kind: session_end.reason.into(), client: session_end.client.clone() }
}

fn bearer(user: UserRow, session: Option<SessionRow>) -> Result<ResolvedBearer, StoreError> {
    Ok(ResolvedBearer { user: user.try_into()?, session: session.map(Session::try_from).transpose()? })
}

macro_rules! session_repository {
    ($connection:ty) => {
        impl SessionRepository for Transaction<'_, $connection> {
            fn lock_account(&mut self, user_id: UserId) -> Result<(), StoreError> {
                self.lock_account_row(user_id)
            }

            fn resolve_bearers(&mut self, keys: &[BearerIdentity]) -> Result<Vec<Option<ResolvedBearer>>, StoreError> {
                self.find_bearers(keys)
            }

            fn begin(&mut self, session: &Session, client: &ClientInfo) -> Result<(), StoreError> {
                let row = NewSessionRow::of(session, client);
                let begun = diesel::insert_into(sessions::table).values(row).execute(self.write_connection()?);
                self.check(begun).map(drop)
            }

            fn find(&mut self, id: SessionId) -> Result<Option<Session>, StoreError> {
                let query = sessions::table.filter(sessions::sid.eq(id.to_string())).select(SessionRow::as_select());
                let row = query.first(self.connection).optional();
                self.check(row)?.map(Session::try_from).transpose()
            }

            fn list(
                &mut self,
                user_id: UserId,
                started_after: DateTime<Utc>,
                limit: u32,
            ) -> Result<Vec<ListedSession>, StoreError> {
                let last_use = last_use().select(session_events::at).single_value();
                let query = open(user_id.get(), DbTimestamp::new(started_after))
                    .order((sessions::created_at.desc(), sessions::id.desc()))
                    .limit(i64::from(limit))
                    .select((SessionRow::as_select(), OriginRow::as_select(), last_use));
                let rows = query.load::<ListedRow>(self.connection);
                self.check(rows)?.into_iter().map(listed).collect()
            }

            fn count(&mut self, user_id: UserId, started_after: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
                let query =
                    open(user_id.get(), DbTimestamp::new(started_after)).limit(i64::from(limit)).select(sessions::id);
                let rows = query.load::<i64>(self.connection);
                Ok(u32::try_from(self.check(rows)?.len()).unwrap_or(u32::MAX))
            }

            fn least_recently_used(
                &mut self,
                user_id: UserId,
                started_after: DateTime<Utc>,
                limit: u32,
            ) -> Result<Vec<SessionId>, StoreError> {
                let last_use = last_use().select(session_events::id).single_value();
                let query = open(user_id.get(), DbTimestamp::new(started_after))
                    .order((coalesce(last_use, 0), sessions::id))
                    .limit(i64::from(limit))
                    .select((sessions::id, sessions::sid));
                let rows = query.load::<(i64, Stored<String>)>(self.connection);
                self.check(rows)?.into_iter().map(|(id, sid)| read_sid(RowRef { table: "sessions", id }, sid)).collect()
            }

            fn recent_clients(&mut self, user_id: UserId, limit: u32) -> Result<Vec<ClientInfo>, StoreError> {
                let query = sessions::table
                    .filter(sessions::user_id.eq(user_id.get()))
                    .order((sessions::created_at.desc(), sessions::id.desc()))
                    .limit(i64::from(limit))
                    .select((sessions::id, OriginRow::as_select()));
                let rows = query.load::<(i64, OriginRow)>(self.connection);
                let rows = self.check(rows)?.into_iter();
                rows.map(|(id, client)| client.read(RowRef { table: "sessions", id })).collect()
            }

            fn knows_source(&mut self, source: &SourceHash) -> Result<bool, StoreError> {
                let query = sessions::table.filter(sessions::source.eq(source.as_bytes().as_slice()));
                let found = query.select(sessions::id).first::<i64>(self.connection).optional();
                Ok(self.check(found)?.is_some())
            }

            fn end(&mut self, id: SessionId, session_end: &SessionEnd) -> Result<bool, StoreError> {
                let at = DbTimestamp::new(session_end.at);
                let active =
                    sessions::table.filter(sessions::sid.eq(id.to_string())).filter(sessions::ended_at.is_null());
                let ended = diesel::update(active)
                    .set((sessions::ended_at.eq(at), sessions::end_reason.eq(session_end.reason.as_str())))
                    .returning((sessions::id, sessions::user_id))
                    .get_result::<(i64, i64)>(self.write_connection()?)
                    .optional();
                let Some((number, user_id)) = self.check(ended)? else { return Ok(false) };
                let revoke = RevokeLive::new(user_id, TokenScope::Of(number, id.to_string()), at);
                let revoked = revoke.load::<bool>(self.connection);
                self.check(revoked)?;
                let event = NewEventRow::of(number, &event_of(session_end));
                let told = diesel::insert_into(session_events::table).values(event).execute(self.connection);
                self.check(told)?;
                Ok(true)
            }

            fn end_all(
                &mut self,
                user_id: UserId,
                keep: &KeepSessions,
                session_end: &SessionEnd,
            ) -> Result<u64, StoreError> {
                let (at, keep) = (DbTimestamp::new(session_end.at), KeepFilter::new(keep));
                let active = sessions::table
                    .filter(sessions::user_id.eq(user_id.get()))
                    .filter(sessions::ended_at.is_null())
                    .filter(sessions::sid.ne(&keep.sid))
                    .filter(sessions::device.is_null().or(sessions::device.ne(&keep.device)));
                let ended = diesel::update(active)
                    .set((sessions::ended_at.eq(at), sessions::end_reason.eq(session_end.reason.as_str())))
                    .returning(sessions::id)
                    .get_results::<i64>(self.write_connection()?);
                let ended = self.check(ended)?;
                let revoke = RevokeLive::new(user_id.get(), TokenScope::AllBut(keep), at);
                let revoked = revoke.load::<bool>(self.connection);
                let unbegun = self.check(revoked)?.into_iter().filter(|unbegun| *unbegun).count();
                let event = event_of(session_end);
                for number in &ended {
                    let event = NewEventRow::of(*number, &event);
                    let told = diesel::insert_into(session_events::table).values(event).execute(self.connection);
                    self.check(told)?;
                }
                Ok(u64::try_from(ended.len().saturating_add(unbegun)).unwrap_or(u64::MAX))
            }

            fn record(&mut self, id: SessionId, event: &SessionEvent) -> Result<(), StoreError> {
                let recorded = Record::new(id, event).execute(self.write_connection()?);
                self.check(recorded).map(drop)
            }

            fn events(&mut self, id: SessionId, limit: u32) -> Result<Vec<SessionEvent>, StoreError> {
                let number = sessions::table.filter(sessions::sid.eq(id.to_string())).select(sessions::id);
                let number = number.first::<i64>(self.connection).optional();
                let Some(number) = self.check(number)? else { return Ok(Vec::new()) };
                let query = session_events::table
                    .filter(session_events::session_id.eq(number))
                    .order(session_events::id.desc())
                    .limit(i64::from(limit))
                    .select(EventRow::as_select());
                let rows = query.load(self.connection);
                self.check(rows)?.into_iter().map(SessionEvent::try_from).collect()
            }

            fn scan(
                &mut self,
                after: RowCursor,
                limit: u32,
                dead: &SessionCutoffs,
            ) -> Result<Option<RowRange>, StoreError> {
                let scan = ScanSessions::new(after, limit, dead);
                let (last, count) =
                    self.in_background(|connection| scan.get_result::<(Option<i64>, i64)>(connection))?;
                let count = u64::try_from(count).unwrap_or_default();
                Ok(last.map(|last| RowRange { after, last: RowCursor(last), dead: count, cutoff: dead.ended }))
            }

            fn purge(&mut self, range: &RowRange, dead: &SessionCutoffs, limit: u32) -> Result<u64, StoreError> {
                self.write_connection()?;
                let events = DeleteDead::<true>::new(range, dead, limit);
                let events = self.in_background(|connection| events.execute(connection))?;
                let events = u32::try_from(events).unwrap_or(limit);
                if events >= limit {
                    return Ok(u64::from(events));
                }
                let rows = DeleteDead::<false>::new(range, dead, limit - events).execute(self.connection);
                Ok(u64::try_from(self.check(rows)?).unwrap_or(u64::MAX).saturating_add(u64::from(events)))
            }
        }
    };
}

session_repository!(SqliteConnection);
session_repository!(PgConnection);

impl Transaction<'_, SqliteConnection> {
    /// No lock needed: SQLite has one writer.
    fn lock_account_row(&mut self, _: UserId) -> Result<(), StoreError> {
        self.write_connection().map(drop)
    }

    /// Runs one prepared statement per key, which costs less on SQLite than one statement of varying
    /// length.
    fn find_bearers(&mut self, keys: &[BearerIdentity]) -> Result<Vec<Option<ResolvedBearer>>, StoreError> {
        let find = |tx: &mut Self| keys.iter().map(|key| tx.find_bearer(key)).collect();
        if keys.len() > 1 { self.batched_read(find) } else { find(self) }
    }

    fn find_bearer(&mut self, key: &BearerIdentity) -> Result<Option<ResolvedBearer>, StoreError> {
        let sid = key.session_id.map(|id| id.to_string()).unwrap_or_default();
        let own = sessions::user_id.eq(users::id).and(sessions::sid.eq(sid));
        let query = users::table.left_join(sessions::table.on(own)).filter(users::id.eq(key.user_id.get()));
        let query = query.select((UserRow::as_select(), Option::<SessionRow>::as_select()));
        let row = query.first::<(UserRow, Option<SessionRow>)>(self.connection).optional();
        self.check(row)?.map(|(user, session)| bearer(user, session)).transpose()
    }
}

impl Transaction<'_, PgConnection> {
    /// Locks the account's row with `FOR NO KEY UPDATE`. Other transactions can still add tokens, which
    /// only need the account to exist.
    fn lock_account_row(&mut self, user_id: UserId) -> Result<(), StoreError> {
        let query = users::table.find(user_id.get()).select(users::id).for_no_key_update();
        let held = query.first::<i64>(self.write_connection()?).optional();
        self.check(held).map(drop)
    }

    /// Queries all keys in one round trip: each account with the requested ones of its sessions.
    fn find_bearers(&mut self, keys: &[BearerIdentity]) -> Result<Vec<Option<ResolvedBearer>>, StoreError> {
        let ids = keys.iter().map(|key| key.user_id.get());
        let sids = keys.iter().filter_map(|key| key.session_id).map(|id| id.to_string());
        let asked_for = sessions::user_id.eq(users::id).and(sessions::sid.eq_any(sids));
        let query = users::table.left_join(sessions::table.on(asked_for)).filter(users::id.eq_any(ids));
        let query = query.select((UserRow::as_select(), Option::<SessionRow>::as_select()));
        let rows = query.load::<(UserRow, Option<SessionRow>)>(self.connection);
        let rows = self.check(rows)?.into_iter().map(|(user, session)| bearer(user, session));
        let found = rows.collect::<Result<Vec<_>, _>>()?;
        Ok(keys.iter().map(|key| chosen(&found, key)).collect())
    }
}

/// Returns the row for a key, or `None` if its account was not found.
fn chosen(found: &[ResolvedBearer], key: &BearerIdentity) -> Option<ResolvedBearer> {
    let mut own = found.iter().filter(|found| found.user.id == key.user_id);
    let user: &User = &own.clone().next()?.user;
    let session = own.find_map(|found| found.session.as_ref().filter(|session| Some(session.id) == key.session_id));
    Some(ResolvedBearer { user: user.clone(), session: session.cloned() })
}
