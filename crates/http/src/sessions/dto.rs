//! The JSON of sessions.

use crate::api::Api;
use crate::body::{Fields, Input};
use crate::registration::UserResponse;
use crate::time::rfc3339;
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::User;
use portcullis_domain::sessions::{ClientInfo, SessionEvent};
use portcullis_usecases::sessions::OwnSession;
use serde::{Deserialize, Serialize};

/// The token whose session is to end.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct LogoutRequest {
    /// A refresh token.
    refresh_token: String,
}

impl Input for LogoutRequest {
    /// The token.
    type Command = String;

    fn read(fields: &mut Fields, _: &Api) -> Option<String> {
        fields.string("refresh_token")
    }
}

/// Which sessions are to end.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct LogoutAllRequest {
    /// Whether the session that asks goes on.
    keep_current: Option<bool>,
}

impl Input for LogoutAllRequest {
    /// Whether the session that asks goes on.
    type Command = bool;
    const OPTIONAL: bool = true;

    fn read(fields: &mut Fields, _: &Api) -> Option<bool> {
        fields.bool("keep_current")
    }
}

/// What a logout of all sessions did.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct LogoutAllResponse {
    /// What happened.
    pub(super) message: &'static str,
    /// How many sessions were ended.
    pub(super) revoked: u64,
}

/// The account that is signed in.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct MeResponse {
    /// Its number.
    id: i64,
    /// Its address.
    email: String,
    /// Whether it may sign in.
    is_active: bool,
    /// When it was made, in UTC.
    created_at: String,
    /// Whether its address was verified.
    email_verified: bool,
}

impl From<User> for MeResponse {
    fn from(user: User) -> Self {
        let email_verified = user.email_verified_at.is_some();
        let UserResponse { id, email, is_active, created_at } = user.into();
        Self { id, email, is_active, created_at, email_verified }
    }
}

/// Which session.
#[derive(Deserialize, Apiv2Schema)]
pub(crate) struct SessionPath {
    /// The session's identifier.
    pub(super) id: String,
}

/// The active sessions of an account.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct SessionsResponse {
    /// Newest first.
    pub(super) sessions: Vec<SessionResponse>,
}

/// A session.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct SessionResponse {
    /// Its identifier, the `sid` of its tokens.
    id: String,
    /// When it began, in UTC.
    created_at: String,
    /// When somebody last signed in or refreshed in it, in UTC.
    last_used_at: String,
    /// When it ends, however often it is refreshed, in UTC.
    expires_at: String,
    /// The address that it began from; null where nobody knows.
    ip_address: Option<String>,
    /// What the client called itself that it began with; null where nobody knows.
    user_agent: Option<String>,
    /// Whether it is the one that asks.
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

/// What happened to a session.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct TimelineResponse {
    /// Newest first.
    pub(super) events: Vec<EventResponse>,
}

/// Something that happened to a session.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct EventResponse {
    /// When, in UTC.
    at: String,
    /// What: the verdict on a refresh token that was shown, or how the session began or ended.
    verdict: &'static str,
    /// From which address; null where nobody knows.
    ip_address: Option<String>,
    /// What the client called itself; null where nobody knows.
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
