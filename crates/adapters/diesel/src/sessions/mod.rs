//! Sessions, as rows of `sessions` and `session_events`. They end by compare-and-set on the number of
//! affected rows, so exactly one concurrent caller ends a session on both databases.

mod rows;
mod statements;

pub(crate) use rows::{NewEventRow, OriginRow, SessionRow, columns};

use crate::credentials::{CredentialRow, credential_columns};
use crate::engine::{Link, columns_of};
use crate::registration::UserRow;
use crate::schema::{session_events, sessions, users};
use crate::statement::Statement;
use crate::stored::{RowRef, Stored};
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, Utc};
use diesel::dsl::auto_type;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};
use portcullis_domain::login::{Authentication, Credentials};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{
    ClientInfo, EventKind, KeepSessions, Session, SessionEnd, SessionEvent, SessionId, SourceHash,
};
use portcullis_ports::{
    BearerIdentity, ListedSession, ResolvedBearer, RowCursor, RowRange, SessionCutoffs, SessionRepository, StoreError,
};
use rows::{EventRow, ListedRow, NewSessionRow, authentication, listed};
use statements::{KeepFilter, record, revoke_all_but, revoke_of_session};

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

/// Account of a bearer, its credentials, and the session.
type BearerRow = (UserRow, CredentialRow, Option<SessionRow>);

fn bearer((user, credentials, session): BearerRow) -> Result<ResolvedBearer, StoreError> {
    let credentials = Credentials::from(credentials);
    Ok(ResolvedBearer {
        user: user.try_into()?,
        has_password: credentials.has_password(),
        second_factor: credentials.has_second_factor(),
        password: credentials.into_hash(),
        session: session.map(Session::try_from).transpose()?,
    })
}

impl SessionRepository for Transaction<'_> {
    /// SQLite has one writer, so nothing is locked there. On PostgreSQL other transactions can still add
    /// tokens, which only need the account to exist.
    fn lock_account(&mut self, user_id: UserId) -> Result<(), StoreError> {
        self.require_write()?;
        if let Link::Postgres(connection) = &mut self.link {
            let query = users::table.find(user_id.get()).select(users::id).for_no_key_update();
            let held = query.first::<i64>(*connection).optional();
            self.check(held)?;
        }
        Ok(())
    }

    /// On SQLite one prepared statement per key costs less than one statement of varying length.
    fn resolve_bearers(&mut self, keys: &[BearerIdentity]) -> Result<Vec<Option<ResolvedBearer>>, StoreError> {
        match self.link {
            Link::Sqlite(_) if keys.len() > 1 => {
                self.batched_read(|tx| keys.iter().map(|key| tx.find_bearer(key)).collect())
            }
            Link::Sqlite(_) => keys.iter().map(|key| self.find_bearer(key)).collect(),
            Link::Postgres(_) => self.find_bearers(keys),
        }
    }

    fn begin(&mut self, session: &Session, client: &ClientInfo) -> Result<(), StoreError> {
        self.change(diesel::insert_into(sessions::table).values(NewSessionRow::of(session, client))).map(drop)
    }

    fn find(&mut self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let query = sessions::table.filter(sessions::sid.eq(id.to_string())).select(columns_of::<SessionRow>());
        self.first::<SessionRow>(query)?.map(Session::try_from).transpose()
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
            .select((columns_of::<SessionRow>(), columns_of::<OriginRow>(), last_use));
        self.load::<ListedRow>(query)?.into_iter().map(listed).collect()
    }

    fn count(&mut self, user_id: UserId, started_after: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        let query = open(user_id.get(), DbTimestamp::new(started_after)).limit(i64::from(limit)).select(sessions::id);
        Ok(u32::try_from(self.load::<i64>(query)?.len()).unwrap_or(u32::MAX))
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
        let rows = self.load::<(i64, Stored<String>)>(query)?;
        rows.into_iter().map(|(id, sid)| RowRef { table: "sessions", id }.session("sid", sid)).collect()
    }

    fn recent_clients(&mut self, user_id: UserId, limit: u32) -> Result<Vec<ClientInfo>, StoreError> {
        let query = sessions::table
            .filter(sessions::user_id.eq(user_id.get()))
            .order((sessions::created_at.desc(), sessions::id.desc()))
            .limit(i64::from(limit))
            .select((sessions::id, columns_of::<OriginRow>()));
        let rows = self.load::<(i64, OriginRow)>(query)?.into_iter();
        rows.map(|(id, client)| client.read(RowRef { table: "sessions", id })).collect()
    }

    fn knows_source(&mut self, source: &SourceHash) -> Result<bool, StoreError> {
        let query = sessions::table.filter(sessions::source.eq(source.as_bytes().as_slice())).select(sessions::id);
        Ok(self.first::<i64>(query)?.is_some())
    }

    fn end(&mut self, id: SessionId, session_end: &SessionEnd) -> Result<bool, StoreError> {
        let at = DbTimestamp::new(session_end.at);
        let active = sessions::table.filter(sessions::sid.eq(id.to_string())).filter(sessions::ended_at.is_null());
        let end = diesel::update(active)
            .set((sessions::ended_at.eq(at), sessions::end_reason.eq(session_end.reason.as_str())))
            .returning((sessions::id, sessions::user_id));
        let Some((number, user_id)) = self.change_returning::<(i64, i64)>(end)?.pop() else { return Ok(false) };
        self.load::<bool>(revoke_of_session(&self.link, user_id, number, id, at))?;
        let event = NewEventRow::of(number, &event_of(session_end));
        self.change(diesel::insert_into(session_events::table).values(event))?;
        Ok(true)
    }

    fn end_all(&mut self, user_id: UserId, keep: &KeepSessions, session_end: &SessionEnd) -> Result<u64, StoreError> {
        let (at, keep) = (DbTimestamp::new(session_end.at), KeepFilter::new(keep));
        let active = sessions::table
            .filter(sessions::user_id.eq(user_id.get()))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::sid.ne(&keep.sid))
            .filter(sessions::device.is_null().or(sessions::device.ne(&keep.device)));
        let end = diesel::update(active)
            .set((sessions::ended_at.eq(at), sessions::end_reason.eq(session_end.reason.as_str())))
            .returning(sessions::id);
        let ended = self.change_returning::<i64>(end)?;
        let revoked = self.load::<bool>(revoke_all_but(&self.link, user_id.get(), &keep, at))?;
        let unbegun = revoked.into_iter().filter(|unbegun| *unbegun).count();
        let event = event_of(session_end);
        for number in &ended {
            self.change(diesel::insert_into(session_events::table).values(NewEventRow::of(*number, &event)))?;
        }
        Ok(u64::try_from(ended.len().saturating_add(unbegun)).unwrap_or(u64::MAX))
    }

    fn reauthenticate(&mut self, id: SessionId, by: &Authentication) -> Result<bool, StoreError> {
        let active = sessions::table.filter(sessions::sid.eq(id.to_string())).filter(sessions::ended_at.is_null());
        let (at, methods) = authentication(by);
        let set = (sessions::authenticated_at.eq(at), sessions::methods.eq(methods));
        self.changed_one(diesel::update(active).set(set))
    }

    fn record(&mut self, id: SessionId, event: &SessionEvent) -> Result<(), StoreError> {
        self.change(record(&self.link, id, event)).map(drop)
    }

    fn events(&mut self, id: SessionId, limit: u32) -> Result<Vec<SessionEvent>, StoreError> {
        let number = sessions::table.filter(sessions::sid.eq(id.to_string())).select(sessions::id);
        let Some(number) = self.first::<i64>(number)? else { return Ok(Vec::new()) };
        let query = session_events::table
            .filter(session_events::session_id.eq(number))
            .order(session_events::id.desc())
            .limit(i64::from(limit))
            .select(columns_of::<EventRow>());
        self.load::<EventRow>(query)?.into_iter().filter_map(|row| row.read().transpose()).collect()
    }

    fn scan(&mut self, after: RowCursor, limit: u32, dead: &SessionCutoffs) -> Result<Option<RowRange>, StoreError> {
        let (ended, started) = (self.link.expired("ended_at"), self.link.expired("created_at"));
        let scan = format!(
            "SELECT max(id), count(CASE WHEN ({ended} OR {started}) THEN 1 END) FROM \
             (SELECT id, created_at, ended_at FROM sessions WHERE id > ? ORDER BY id LIMIT ?) AS looked_at"
        );
        let [ended, started] = [dead.ended, dead.started].map(DbTimestamp::new);
        let values = [ended.into(), started.into(), after.0.into(), limit.into()];
        self.scan_rows(Statement::new(scan, values), after, dead.ended)
    }

    /// Deletes the events first, then the sessions that have none left.
    fn purge(&mut self, range: &RowRange, dead: &SessionCutoffs, limit: u32) -> Result<u64, StoreError> {
        let (event, of_list) = self.link.event_key();
        let events = format!(
            "session_events WHERE {event} IN \
             (SELECT {of_list} FROM sessions JOIN session_events AS event ON event.session_id = sessions.id"
        );
        let events = self.purge_rows(delete_dead(&self.link, &events, range, dead, limit))?;
        let rest = u64::from(limit).saturating_sub(events);
        if rest == 0 {
            return Ok(events);
        }
        let rows = "sessions WHERE id IN (SELECT sessions.id FROM sessions";
        let rest = u32::try_from(rest).unwrap_or(limit);
        let rows = self.change(delete_dead(&self.link, rows, range, dead, rest))?;
        Ok(u64::try_from(rows).unwrap_or(u64::MAX).saturating_add(events))
    }
}

/// Deletes rows that are found by the first dead sessions of a range.
fn delete_dead(link: &Link<'_>, rows: &str, range: &RowRange, dead: &SessionCutoffs, limit: u32) -> Statement {
    let (ended, started) = (link.expired("ended_at"), link.expired("created_at"));
    let delete = format!(
        "DELETE FROM {rows} WHERE sessions.id > ? AND sessions.id <= ? AND ({ended} OR {started}) \
         ORDER BY sessions.id LIMIT ?)"
    );
    let [ended, started] = [dead.ended, dead.started].map(DbTimestamp::new);
    let (after, last) = (range.after.0, range.last.0);
    Statement::new(delete, [after.into(), last.into(), ended.into(), started.into(), limit.into()])
}

impl Link<'_> {
    /// Returns the key of an event, and the same in a subquery with the alias `event`.
    pub(crate) fn event_key(&self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite(_) => ("id", "event.id"),
            Self::Postgres(_) => ("(session_id, id)", "event.session_id, event.id"),
        }
    }
}

impl Transaction<'_> {
    fn find_bearer(&mut self, key: &BearerIdentity) -> Result<Option<ResolvedBearer>, StoreError> {
        let sid = key.session_id.map(|id| id.to_string()).unwrap_or_default();
        let own = sessions::user_id.eq(users::id).and(sessions::sid.eq(sid));
        let query = users::table.left_join(sessions::table.on(own)).filter(users::id.eq(key.user_id.get()));
        let columns = (columns_of::<UserRow>(), credential_columns(), columns_of::<Option<SessionRow>>());
        let query = query.select(columns);
        self.first::<BearerRow>(query)?.map(bearer).transpose()
    }

    /// Queries all keys in one round trip: each account with the requested ones of its sessions.
    fn find_bearers(&mut self, keys: &[BearerIdentity]) -> Result<Vec<Option<ResolvedBearer>>, StoreError> {
        let ids = keys.iter().map(|key| key.user_id.get());
        let sids = keys.iter().filter_map(|key| key.session_id).map(|id| id.to_string());
        let asked_for = sessions::user_id.eq(users::id).and(sessions::sid.eq_any(sids));
        let query = users::table.left_join(sessions::table.on(asked_for)).filter(users::id.eq_any(ids));
        let columns = (columns_of::<UserRow>(), credential_columns(), columns_of::<Option<SessionRow>>());
        let query = query.select(columns);
        let rows = self.load::<BearerRow>(query)?.into_iter();
        let found = rows.map(bearer).collect::<Result<Vec<_>, _>>()?;
        Ok(keys.iter().map(|key| chosen(&found, key)).collect())
    }
}

/// Returns the row for a key, or `None` if its account was not found.
fn chosen(found: &[ResolvedBearer], key: &BearerIdentity) -> Option<ResolvedBearer> {
    let mut own = found.iter().filter(|found| found.user.id == key.user_id);
    let account = own.clone().next()?;
    let session = own.find_map(|found| found.session.as_ref().filter(|session| Some(session.id) == key.session_id));
    Some(ResolvedBearer { session: session.cloned(), ..account.clone() })
}
