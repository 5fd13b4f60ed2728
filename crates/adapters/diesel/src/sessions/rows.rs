//! Row types for sessions and their events.

use crate::schema::{session_events, sessions};
use crate::stored::{RowRef, Stored};
use crate::time::DbTimestamp;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use portcullis_domain::login::{Authentication, Methods};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{ClientInfo, DeviceHash, EventKind, Session, SessionEvent, SourceHash, UserAgent};
use portcullis_ports::{ListedSession, StoreError};

/// Columns that determine a session's state.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(crate) struct SessionRow {
    pub(crate) id: i64,
    sid: Stored<String>,
    user_id: Stored<i64>,
    created_at: Stored<DateTime<Utc>>,
    ended_at: Option<Stored<DateTime<Utc>>>,
    device: Option<Stored<Vec<u8>>>,
    source: Option<Stored<Vec<u8>>>,
    authenticated_at: Option<Stored<DateTime<Utc>>>,
    methods: Option<Stored<String>>,
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        let at = RowRef { table: "sessions", id: row.id };
        let authenticated_at = row.authenticated_at.map(|time| at.read("authenticated_at", time)).transpose()?;
        let methods = row.methods.map(|names| at.read("methods", names)).transpose()?.unwrap_or_default();
        let methods = Methods::from_amr(methods.split(' '));
        Ok(Self {
            id: at.session("sid", row.sid)?,
            user_id: UserId::new(at.read("user_id", row.user_id)?),
            started_at: at.read("created_at", row.created_at)?,
            ended_at: row.ended_at.map(|time| at.read("ended_at", time)).transpose()?,
            device: row.device.map(|code| at.code("device", code)).transpose()?.map(DeviceHash::new),
            source: row.source.map(|code| at.code("source", code)).transpose()?.map(SourceHash::new),
            authentication: authenticated_at.map(|at| Authentication { methods, at }),
        })
    }
}

/// Client columns of a session or event.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(crate) struct OriginRow {
    pub(crate) ip_address: Option<Stored<String>>,
    pub(crate) user_agent: Option<Stored<String>>,
}

impl OriginRow {
    pub(crate) fn read(self, at: RowRef) -> Result<ClientInfo, StoreError> {
        let address = self.ip_address.map(|text| at.read("ip_address", text)).transpose()?;
        let parse = |text: String| text.parse().map_err(|_| at.corrupt("ip_address", "not an address"));
        let agent = self.user_agent.map(|text| at.read("user_agent", text)).transpose()?;
        Ok(ClientInfo {
            ip_address: address.map(parse).transpose()?,
            user_agent: agent.and_then(|text| UserAgent::new(&text)),
        })
    }
}

/// Session, the client that started it, and the time of its last use according to its timeline.
pub(super) type ListedRow = (SessionRow, OriginRow, Option<Stored<DateTime<Utc>>>);

pub(super) fn listed((row, client, used): ListedRow) -> Result<ListedSession, StoreError> {
    let at = RowRef { table: "sessions", id: row.id };
    let used = used.map(|time| at.read("last use", time)).transpose()?;
    let session = Session::try_from(row)?;
    Ok(ListedSession { client: client.read(at)?, last_used_at: used.unwrap_or(session.started_at), session })
}

/// Row of a new session.
#[derive(Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub(super) struct NewSessionRow {
    sid: String,
    user_id: i64,
    created_at: DbTimestamp,
    ip_address: Option<String>,
    user_agent: Option<String>,
    device: Option<Vec<u8>>,
    source: Option<Vec<u8>>,
    authenticated_at: Option<DbTimestamp>,
    methods: Option<String>,
}

impl NewSessionRow {
    pub(super) fn of(session: &Session, client: &ClientInfo) -> Self {
        let (ip_address, user_agent) = columns(client);
        let (authenticated_at, methods) = session.authentication.as_ref().map(authentication).unzip();
        Self {
            sid: session.id.to_string(),
            user_id: session.user_id.get(),
            created_at: DbTimestamp::new(session.started_at),
            ip_address,
            user_agent,
            device: session.device.map(|mark| mark.as_bytes().to_vec()),
            source: session.source.map(|mark| mark.as_bytes().to_vec()),
            authenticated_at,
            methods,
        }
    }
}

/// Returns an authentication as column values.
pub(super) fn authentication(of: &Authentication) -> (DbTimestamp, String) {
    (DbTimestamp::new(of.at), of.methods.amr().join(" "))
}

/// Returns the IP address and the user agent as column values.
pub(crate) fn columns(client: &ClientInfo) -> (Option<String>, Option<String>) {
    let address = client.ip_address.map(|address| address.to_string());
    (address, client.user_agent.as_ref().map(|agent| agent.as_str().to_owned()))
}

/// Event of a session.
#[derive(Queryable, Selectable)]
#[diesel(table_name = session_events)]
pub(super) struct EventRow {
    id: i64,
    at: Stored<DateTime<Utc>>,
    kind: Stored<String>,
    ip_address: Option<Stored<String>>,
    user_agent: Option<Stored<String>>,
}

impl EventRow {
    /// Reads the event. Returns `None` for a kind that only a newer release knows.
    pub(super) fn read(self) -> Result<Option<SessionEvent>, StoreError> {
        let at = RowRef { table: "session_events", id: self.id };
        let Some(kind) = EventKind::parse(&at.read("kind", self.kind)?) else { return Ok(None) };
        let client = OriginRow { ip_address: self.ip_address, user_agent: self.user_agent };
        Ok(Some(SessionEvent { at: at.read("at", self.at)?, kind, client: client.read(at)? }))
    }
}

/// Row of a new event.
#[derive(Insertable)]
#[diesel(table_name = session_events, treat_none_as_default_value = false)]
pub(crate) struct NewEventRow {
    session_id: i64,
    at: DbTimestamp,
    kind: &'static str,
    ip_address: Option<String>,
    user_agent: Option<String>,
}

impl NewEventRow {
    /// Creates an event for the session with this row id.
    pub(crate) fn of(number: i64, event: &SessionEvent) -> Self {
        let (ip_address, user_agent) = columns(&event.client);
        Self { session_id: number, at: DbTimestamp::new(event.at), kind: event.kind.as_str(), ip_address, user_agent }
    }
}
