//! `POST /auth/logout`, `GET /auth/me`, and what owners do with their sessions.

mod dto;

pub(crate) use dto::{EventResponse, SessionResponse};

use crate::api::{Api, with_store, with_store_by};
use crate::body::Body;
use crate::client_info::client_info;
use crate::errors::ApiError;
use crate::limits::ClientAddress;
use crate::reply::{MessageResponse, NoContent, Reply};
use crate::tokens::Bearer;
use actix_web::HttpRequest;
use actix_web::web::Data;
use dto::{
    LogoutAllRequest, LogoutAllResponse, LogoutRequest, MeResponse, SessionPath, SessionsResponse, TimelineResponse,
};
use paperclip::actix::api_v2_operation;
use paperclip::actix::web::Path;
use portcullis_domain::sessions::SessionId;
use portcullis_usecases::sessions::{Logout, LogoutAll, SessionError, SessionRevocation};

/// Sign out
///
/// Ends the session of a refresh token, whichever of its tokens is shown. A genuine token that was
/// already revoked, is unknown or has expired is answered alike.
#[api_v2_operation(operation_id = "logout", tags(auth))]
pub(crate) async fn logout(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<LogoutRequest>,
) -> Result<Reply<MessageResponse>, ApiError> {
    let input =
        Logout { refresh_token: body.0, client: client_info(&request, &ClientAddress::from_request(&request, &api)) };
    with_store(api, move |api| api.log_out.run(&input)).await??;
    Ok(Reply::ok(MessageResponse { message: "Logged out successfully" }))
}

/// Read the account that is signed in
///
/// Asks the store: a token whose session has ended, or whose account was switched off, is refused
/// before it expires.
#[api_v2_operation(operation_id = "me", tags(auth))]
pub(crate) async fn me(api: Data<Api>, bearer: Bearer) -> Result<Reply<MeResponse>, ApiError> {
    let owner = bearer.authenticate(&api).await?;
    Ok(Reply::ok(owner.user.into()))
}

/// List your sessions
///
/// The active sessions of the account that is signed in, newest first.
#[api_v2_operation(operation_id = "sessions", tags(sessions))]
pub(crate) async fn list(api: Data<Api>, bearer: Bearer) -> Result<Reply<SessionsResponse>, ApiError> {
    let deadline = api.lanes.store.deadline();
    let owner = bearer.authenticate(&api).await?;
    let listed = with_store_by(deadline, api, move |api| api.sessions.list.run(&owner)).await??;
    Ok(Reply::ok(SessionsResponse { sessions: listed.0.into_iter().map(Into::into).collect() }))
}

/// End a session
///
/// Its tokens are worth nothing any more. A session that has ended before is answered alike; one
/// that there is not, and somebody else's, are the same 404.
#[api_v2_operation(operation_id = "revoke_session", tags(sessions))]
pub(crate) async fn revoke(
    api: Data<Api>,
    request: HttpRequest,
    bearer: Bearer,
    path: Path<SessionPath>,
) -> Result<NoContent, ApiError> {
    let deadline = api.lanes.store.deadline();
    let owner = bearer.authenticate(&api).await?;
    let input = SessionRevocation {
        session_id: named(&path)?,
        owner,
        client: client_info(&request, &ClientAddress::from_request(&request, &api)),
    };
    with_store_by(deadline, api, move |api| api.sessions.revoke.run(&input)).await??;
    Ok(NoContent)
}

/// Read a session's timeline
///
/// What happened to a session, newest first, also after its end: every refresh with its verdict,
/// address and client.
#[api_v2_operation(operation_id = "session_events", tags(sessions))]
pub(crate) async fn events(
    api: Data<Api>,
    bearer: Bearer,
    path: Path<SessionPath>,
) -> Result<Reply<TimelineResponse>, ApiError> {
    let deadline = api.lanes.store.deadline();
    let owner = bearer.authenticate(&api).await?;
    let session_id = named(&path)?;
    let read = with_store_by(deadline, api, move |api| api.sessions.timeline.run(&owner, session_id)).await??;
    Ok(Reply::ok(TimelineResponse { events: read.0.into_iter().map(Into::into).collect() }))
}

/// Sign out everywhere
///
/// Ends every session of the account, or every one but that which asks.
#[api_v2_operation(operation_id = "logout_all", tags(sessions))]
pub(crate) async fn logout_all(
    api: Data<Api>,
    request: HttpRequest,
    bearer: Bearer,
    body: Body<LogoutAllRequest>,
) -> Result<Reply<LogoutAllResponse>, ApiError> {
    let deadline = api.lanes.store.deadline();
    let owner = bearer.authenticate(&api).await?;
    let input = LogoutAll {
        owner,
        keep_current: body.0,
        client: client_info(&request, &ClientAddress::from_request(&request, &api)),
    };
    let ended = with_store_by(deadline, api, move |api| api.sessions.log_out_all.run(&input)).await??;
    Ok(Reply::ok(LogoutAllResponse { message: "Logged out everywhere", revoked: ended.0 }))
}

/// What is no identifier names no session.
fn named(path: &SessionPath) -> Result<SessionId, SessionError> {
    SessionId::parse(&path.id).ok_or(SessionError::NotFound)
}
