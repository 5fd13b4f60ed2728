//! DTOs of sessions.

use crate::body::{Fields, Input, KEEP_CURRENT, Member, REFRESH_TOKEN};
use crate::registration::UserResponse;
use crate::time::rfc3339;
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::{PasswordPolicy, User};
use portcullis_domain::sessions::{ClientInfo, SessionEvent};
use portcullis_usecases::sessions::OwnSession;
use serde::{Deserialize, Serialize};

/// Session to end, identified by one of its tokens.
#[derive(Apiv2Schema)]
pub(crate) struct LogoutRequest;

impl Input for LogoutRequest {
    /// `None`: the token is in a cookie.
    type Command = Option<String>;
    const COOKIE_SUFFICES: bool = true;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<Option<String>> {
        fields.jwt_or_cookie(Member { about: "Any refresh token of the session.", ..REFRESH_TOKEN })
    }
}

/// Options of a logout from all sessions.
#[derive(Apiv2Schema)]
pub(crate) struct LogoutAllRequest;

impl Input for LogoutAllRequest {
    /// True to keep the current session.
    type Command = bool;
    const OPTIONAL: bool = true;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<bool> {
        fields.bool(KEEP_CURRENT)
    }
}

/// Result of a logout from all sessions.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct LogoutAllResponse {
    /// Human-readable message.
    pub(super) message: &'static str,
    /// Number of sessions that were ended.
    pub(super) revoked: u64,
}

/// The account that is logged in.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct MeResponse {
    /// Account id.
    id: i64,
    /// Email address.
    email: String,
    /// True if the account may log in.
    is_active: bool,
    /// Creation time, in UTC.
    created_at: String,
    /// True if the email address is verified.
    email_verified: bool,
}

impl From<User> for MeResponse {
    fn from(user: User) -> Self {
        let email_verified = user.email_verified_at.is_some();
        let UserResponse { id, email, is_active, created_at } = user.into();
        Self { id, email, is_active, created_at, email_verified }
    }
}

/// Path of a session.
#[derive(Deserialize, Apiv2Schema)]
pub(crate) struct SessionPath {
    /// Session id.
    pub(super) id: String,
}

/// Active sessions of an account.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct SessionsResponse {
    /// Sessions, newest first.
    pub(super) sessions: Vec<SessionResponse>,
}

/// Session.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct SessionResponse {
    /// Session id, as in the `sid` claim of its tokens.
    id: String,
    /// Start time, in UTC.
    created_at: String,
    /// Time of the last login or refresh, in UTC.
    last_used_at: String,
    /// Time when the session ends at the latest, regardless of refreshes, in UTC.
    expires_at: String,
    /// IP address that the session started from; null if unknown.
    ip_address: Option<String>,
    /// User-Agent that the session started with; null if unknown.
    user_agent: Option<String>,
    /// True for the session of this request.
    current: bool,
}

impl From<OwnSession> for SessionResponse {
    fn from(own: OwnSession) -> Self {
        let (ip_address, user_agent) = texts(own.listed.client);
        Self {
            id: own.listed.session.id.to_string(),
            created_at: rfc3339(own.listed.session.started_at),
            last_used_at: rfc3339(own.listed.last_used_at),
            expires_at: rfc3339(own.expires_at),
            ip_address,
            user_agent,
            current: own.current,
        }
    }
}

/// Timeline of a session.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct TimelineResponse {
    /// Events, newest first.
    pub(super) events: Vec<EventResponse>,
}

/// Event of a session.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct EventResponse {
    /// Time of the event, in UTC.
    at: String,
    /// Verdict on a presented refresh token, or the reason why the session started, changed or ended.
    verdict: &'static str,
    /// IP address of the client; null if unknown.
    ip_address: Option<String>,
    /// User-Agent of the client; null if unknown.
    user_agent: Option<String>,
}

impl From<SessionEvent> for EventResponse {
    fn from(event: SessionEvent) -> Self {
        let (ip_address, user_agent) = texts(event.client);
        Self { at: rfc3339(event.at), verdict: event.kind.as_str(), ip_address, user_agent }
    }
}

fn texts(client: ClientInfo) -> (Option<String>, Option<String>) {
    let agent = client.user_agent.map(|agent| agent.as_str().to_owned());
    (client.ip_address.map(|address| address.to_string()), agent)
}
