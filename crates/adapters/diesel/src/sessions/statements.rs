//! Statements that diesel cannot express: revoking live tokens, locked in the same order as rotations
//! lock theirs, and adding events up to a maximum per kind.

use super::rows::columns;
use crate::engine::Link;
use crate::statement::{Statement, Value};
use crate::time::DbTimestamp;
use diesel::sql_types::Bool;
use portcullis_domain::sessions::{EventKind, KeepSessions, SessionEvent, SessionId};

/// Sessions to keep.
pub(super) struct KeepFilter {
    /// Empty for none: no session has an empty value.
    pub(super) sid: String,
    /// Empty for none: no session has an empty value.
    pub(super) device: Vec<u8>,
}

impl KeepFilter {
    pub(super) fn new(keep: &KeepSessions) -> Self {
        let device = keep.device.map(|mark| mark.as_bytes().to_vec());
        Self { sid: keep.session.map(|id| id.to_string()).unwrap_or_default(), device: device.unwrap_or_default() }
    }
}

/// Revokes the live tokens of the session with this row id.
pub(super) fn revoke_of_session(
    link: &Link<'_>,
    user_id: i64,
    number: i64,
    sid: SessionId,
    at: DbTimestamp,
) -> Statement<Bool> {
    let condition = "(session_id = ? OR (session_id IS NULL AND jti = ?))";
    revoke(link, condition, [user_id.into(), number.into(), text(sid.to_string()), at.into()])
}

/// Revokes an account's live tokens, except those of kept sessions.
pub(super) fn revoke_all_but(link: &Link<'_>, user_id: i64, keep: &KeepFilter, at: DbTimestamp) -> Statement<Bool> {
    let condition = "coalesce(session_id, 0) NOT IN (SELECT id FROM sessions WHERE user_id = ? AND (sid = ? OR device = ?)) \
        AND (session_id IS NOT NULL OR jti NOT IN (SELECT sid FROM sessions WHERE user_id = ? AND sid = ?))";
    let (user, sid) = (|| Value::Number(user_id), || text(keep.sid.clone()));
    let values = [user(), user(), sid(), Value::Bytes(keep.device.clone()), user(), sid(), at.into()];
    revoke(link, condition, values)
}

/// Revokes live tokens. Returns for each whether it was unexpired and had no session yet. The subquery
/// locks the tokens in the same order as rotations, to avoid deadlocks: by bytes, because an adopted `jti`
/// may be any text. SQLite has one writer, so nothing is locked there.
fn revoke(link: &Link<'_>, condition: &str, values: impl Into<Vec<Value>>) -> Statement<Bool> {
    let order = match link {
        Link::Sqlite(_) => "jti",
        Link::Postgres(_) => "jti COLLATE \"C\" FOR UPDATE",
    };
    let revoke = format!(
        "UPDATE refresh_tokens SET revoked = true WHERE id IN (SELECT id FROM refresh_tokens WHERE user_id = ? \
         AND NOT revoked AND {condition} ORDER BY {order}) RETURNING session_id IS NULL AND expires_at > ? \
         AND NOT EXISTS (SELECT 1 FROM sessions WHERE sid = jti)"
    );
    Statement::new(revoke, values)
}

/// Adds an event to the session with this `sid`, if it exists. On PostgreSQL the session is locked
/// against deletion until the transaction ends.
pub(super) fn record(link: &Link<'_>, id: SessionId, event: &SessionEvent) -> Statement {
    let (ip_address, user_agent) = columns(&event.client);
    let mut record = "INSERT INTO session_events (session_id, at, kind, ip_address, user_agent) \
        SELECT id, ?, ?, ?, ? FROM sessions WHERE sid = ?"
        .to_owned();
    let kind = || text(event.kind.as_str().to_owned());
    let (at, sid) = (DbTimestamp::new(event.at), text(id.to_string()));
    let mut values = vec![at.into(), kind(), Value::Text(ip_address), Value::Text(user_agent), sid];
    if event.kind.is_repeatable() {
        record += " AND (SELECT count(*) FROM session_events AS known WHERE known.session_id = sessions.id \
            AND known.kind <> 'rotated' AND known.kind = ?) < ?";
        let most = i64::try_from(EventKind::MAX_EVENTS_PER_KIND).unwrap_or(i64::MAX);
        values.extend([kind(), most.into()]);
    }
    if matches!(link, Link::Postgres(_)) {
        record += " FOR KEY SHARE";
    }
    Statement::new(record, values)
}

fn text(text: String) -> Value {
    Value::Text(Some(text))
}
