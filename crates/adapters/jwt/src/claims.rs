//! Writes and reads claims as JSON. The domain checks whether they have expired.

use chrono::{DateTime, Utc};
use hex::FromHex;
use portcullis_domain::{
    login::{Authentication, Method, Methods},
    registration::UserId,
    sessions::SessionId,
    tokens::{
        AccessClaims, CarriedClaims, ChallengeClaims, ChallengePurpose, Claims, Jti, MAX_IAT_SKEW, RefreshClaims,
    },
    verification::PasswordVersion,
};
use portcullis_json::Object;
use serde::Serialize;

const ACCESS: &str = "access";
const REFRESH: &str = "refresh";
const CHALLENGE: &str = "mfa";

/// Claims in the order of the FastAPI application, followed by those that it does not have.
#[derive(Serialize)]
struct ClaimsJson {
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    r#type: &'static str,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<Vec<&'static str>>,
    /// `false` if a browser must forget the token when it closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    remember: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#use: Option<&'static str>,
    /// Version of the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pwv: Option<String>,
}

/// Serializes claims to a token's payload.
pub(crate) fn write(claims: &Claims) -> Result<Vec<u8>, serde_json::Error> {
    let json = match claims {
        Claims::Access(AccessClaims { user_id, jti, session_id, carried, issued_at, expires_at }) => {
            json((ACCESS, *user_id, *jti), *session_id, *carried, (*issued_at, *expires_at))
        }
        Claims::Refresh(RefreshClaims { user_id, jti, session_id, carried, issued_at, expires_at }) => {
            json((REFRESH, *user_id, *jti), *session_id, *carried, (*issued_at, *expires_at))
        }
        Claims::Challenge(claims) => ClaimsJson {
            sub: claims.user_id.to_string(),
            jti: None,
            r#type: CHALLENGE,
            exp: claims.expires_at.timestamp(),
            iat: claims.issued_at.timestamp(),
            sid: Some(claims.session_id.to_string()),
            auth_time: None,
            amr: (claims.first != Methods::from(Method::Password)).then(|| claims.first.amr()),
            remember: claims.forget.then_some(false),
            r#use: Some(claims.purpose.as_str()),
            pwv: Some(hex::encode(claims.password.as_bytes())),
        },
    };
    serde_json::to_vec(&json)
}

fn json(
    (r#type, user_id, jti): (&'static str, UserId, Jti),
    session_id: Option<SessionId>,
    CarriedClaims { authentication, forget }: CarriedClaims,
    (issued_at, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> ClaimsJson {
    ClaimsJson {
        sub: user_id.to_string(),
        jti: Some(jti.to_string()),
        r#type,
        exp: expires_at.timestamp(),
        iat: issued_at.timestamp(),
        sid: session_id.map(|id| id.to_string()),
        auth_time: authentication.map(|of| of.at.timestamp()),
        amr: authentication.map(|of| of.methods.amr()),
        remember: forget.then_some(false),
        r#use: None,
        pwv: None,
    }
}

/// Reads the claims of a payload. Returns `None` if one is missing, has the wrong type or an invalid
/// value, and for a token that is not valid yet or has an audience.
pub(crate) fn read(payload: &Object<'_>, now: DateTime<Utc>) -> Option<Claims> {
    let user_id = UserId::parse(payload.text("sub")?)?;
    // Tokens of the FastAPI application have no `sid`, but an invalid one is an error.
    let session_id = if payload.has("sid") { Some(SessionId::parse(payload.text("sid")?)?) } else { None };
    let (expires_at, issued_at) = (time(payload, "exp")?, time(payload, "iat")?);
    if issued_at.signed_duration_since(now) > MAX_IAT_SKEW {
        return None;
    }
    if payload.has("nbf") && time(payload, "nbf")? > now {
        return None;
    }
    // RFC 7519 §4.1.3: a recipient must reject a token whose audience does not name it, and this
    // service has no audience name.
    if payload.has("aud") {
        return None;
    }
    if payload.text("type")? == CHALLENGE {
        let password = PasswordVersion::new(FromHex::from_hex(payload.text("pwv")?).ok()?);
        let purpose = payload.text("use")?;
        let purpose = ChallengePurpose::ALL.into_iter().find(|known| known.as_str() == purpose)?;
        let session_id = session_id?;
        let forget = payload.boolean("remember") == Some(false);
        let first = payload.texts("amr").map_or_else(|| Methods::from(Method::Password), Methods::from_amr);
        let claims = ChallengeClaims { user_id, session_id, purpose, first, forget, password, issued_at, expires_at };
        return Some(Claims::Challenge(claims));
    }
    let jti = Jti::parse(payload.text("jti")?)?;
    let forget = payload.boolean("remember") == Some(false);
    let carried = CarriedClaims { authentication: authentication(payload), forget };
    match payload.text("type")? {
        ACCESS => Some(Claims::Access(AccessClaims { user_id, jti, session_id, carried, issued_at, expires_at })),
        REFRESH => Some(Claims::Refresh(RefreshClaims { user_id, jti, session_id, carried, issued_at, expires_at })),
        _ => None,
    }
}

/// Reads the authentication, if the token carries one. Another program's `amr` without `auth_time` is none.
fn authentication(payload: &Object<'_>) -> Option<Authentication> {
    let (at, methods) = (time(payload, "auth_time")?, Methods::from_amr(payload.texts("amr")?));
    Some(Authentication { methods, at })
}

/// Reads a time in whole seconds. Returns `None` if it is out of range.
fn time(payload: &Object<'_>, name: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(payload.integer(name)?, 0)
}
