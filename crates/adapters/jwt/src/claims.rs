//! The claims as JSON, written and read. Whether they have expired is left to the domain.

use crate::object::StrictObject;
use chrono::{DateTime, Utc};
use portcullis_domain::{
    registration::UserId,
    sessions::SessionId,
    tokens::{AccessClaims, Claims, Jti, MAX_IAT_SKEW, RefreshClaims},
};
use serde::Serialize;

const ACCESS: &str = "access";
const REFRESH: &str = "refresh";

/// The claims in the order in which the FastAPI application wrote them, and behind them the session's,
/// which it did not know.
#[derive(Serialize)]
struct ClaimsJson {
    sub: String,
    jti: String,
    r#type: &'static str,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
}

/// The payload that claims become.
pub(crate) fn write(claims: &Claims) -> Result<Vec<u8>, serde_json::Error> {
    let (r#type, user_id, jti, session_id, expires_at, issued_at) = match claims {
        Claims::Access(c) => (ACCESS, c.user_id, c.jti, c.session_id, c.expires_at, c.issued_at),
        Claims::Refresh(c) => (REFRESH, c.user_id, c.jti, c.session_id, c.expires_at, c.issued_at),
    };
    let (exp, iat, sid) = (expires_at.timestamp(), issued_at.timestamp(), session_id.map(|id| id.to_string()));
    serde_json::to_vec(&ClaimsJson { sub: user_id.to_string(), jti: jti.to_string(), r#type, exp, iat, sid })
}

/// The claims of a payload; `None` where one is missing, has a wrong type or an impossible value,
/// and for a token that is not to be used yet or not here.
pub(crate) fn read(payload: &StrictObject<'_>, now: DateTime<Utc>) -> Option<Claims> {
    let user_id = UserId::parse(payload.text("sub")?)?;
    let jti = Jti::parse(payload.text("jti")?)?;
    // Absent in a token of the FastAPI application; present and unreadable is no absence.
    let session_id = if payload.has("sid") { Some(SessionId::parse(payload.text("sid")?)?) } else { None };
    let (expires_at, issued_at) = (time(payload, "exp")?, time(payload, "iat")?);
    if issued_at.signed_duration_since(now) > MAX_IAT_SKEW {
        return None;
    }
    if payload.has("nbf") && time(payload, "nbf")? > now {
        return None;
    }
    // RFC 7519 §4.1.3: whom it does not name must refuse it, and nobody here has a name.
    if payload.has("aud") {
        return None;
    }
    match payload.text("type")? {
        ACCESS => Some(Claims::Access(AccessClaims { user_id, jti, session_id, issued_at, expires_at })),
        REFRESH => Some(Claims::Refresh(RefreshClaims { user_id, jti, session_id, issued_at, expires_at })),
        _ => None,
    }
}

/// A time in whole seconds, in the years that there are.
fn time(payload: &StrictObject<'_>, name: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(payload.integer(name)?, 0)
}
