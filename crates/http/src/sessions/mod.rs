//! `POST /auth/logout`, `GET /auth/me`, and the endpoints for a user's own sessions.

mod dto;

pub(crate) use dto::{EventResponse, SessionResponse};

use crate::api::{Api, with_store, with_store_by};
use crate::body::Body;
use crate::call::Call;
use crate::errors::ApiError;
use crate::reply::{MessageResponse, NoContent, Reply};
use crate::routes::{Table, responds};
use crate::tokens::{Bearer, TokenCookie, TokenCookies, Transport};
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::Data;
use dto::{
    LogoutAllRequest, LogoutAllResponse, LogoutRequest, MeResponse, SessionPath, SessionsResponse, TimelineResponse,
};
use paperclip::actix::api_v2_operation;
use paperclip::actix::web::Path;
use portcullis_domain::ErrorCode;
use portcullis_domain::sessions::SessionId;
use portcullis_usecases::sessions::{LogoutAll, NoSuchSession, SessionRevocation};
use portcullis_usecases::tokens::TokenError;

const LOGGED_OUT: MessageResponse = MessageResponse { message: "Logged out successfully" };

/// Registers the routes of this feature.
pub(crate) fn routes(table: &mut Table) {
    let ended = responds("The session has ended.").example(&LOGGED_OUT).fails(&[ErrorCode::TokenInvalid]);
    table.add(Method::GET, "/auth/me", me, responds("The account."));
    table.add(Method::POST, "/auth/logout", logout, ended.offers_cookies().reads::<LogoutRequest>());
    let all = responds("The sessions have ended.").reads::<LogoutAllRequest>();
    table.add(Method::POST, "/auth/logout-all", logout_all, all.offers_cookies());
    table.add(Method::GET, "/auth/sessions", list, responds("The active sessions."));
    let revoked = responds("The session has ended.").fails(&[ErrorCode::NotFound]);
    table.add(Method::DELETE, "/auth/sessions/{id}", revoke, revoked);
    let timeline = responds("The events of the session.").fails(&[ErrorCode::NotFound]);
    table.add(Method::GET, "/auth/sessions/{id}/events", events, timeline);
}

/// Log out
///
/// Ends the session that the refresh token belongs to; any refresh token of the session works. Responds
/// the same to a genuine token that is revoked, unknown or expired. Returns 401 for a malformed or
/// forged token. In cookie mode, the token comes from its cookie, the body may be missing, and the cookies are
/// deleted whatever they hold.
#[api_v2_operation(operation_id = "logout", tags(auth))]
async fn logout(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<LogoutRequest>,
) -> Result<Reply<MessageResponse>, ApiError> {
    let transport = Transport::unless(body.0.is_some(), &request, &api)?;
    let caller = Call::new(&api, &request).caller;
    let cookies = transport.cookies(&api);
    let shown = body.0.or_else(|| cookies?.read(request.headers(), TokenCookie::Refresh));
    if let Some(token) = shown {
        let ended = with_store(api.clone(), move |api| api.log_out.run(&token, &caller)).await?;
        // A useless cookie is deleted as well.
        if cookies.is_none() || !matches!(ended, Err(TokenError::Invalid)) {
            ended?;
        }
    }
    Ok(Reply::ok(LOGGED_OUT).with_cookies(cookies.map(TokenCookies::clear).unwrap_or_default()))
}

/// Get own account
///
/// Returns the account of the access token. Checks the session and the account in the database: if the
/// session has ended or the account is inactive, returns 401 even if the token has not expired.
#[api_v2_operation(operation_id = "me", tags(auth))]
async fn me(api: Data<Api>, bearer: Bearer) -> Result<Reply<MeResponse>, ApiError> {
    let owner = bearer.authenticate(&api).await?;
    Ok(Reply::ok(owner.user.into()))
}

/// List own sessions
///
/// Returns the active sessions of the account, newest first.
#[api_v2_operation(operation_id = "sessions", tags(sessions))]
async fn list(api: Data<Api>, bearer: Bearer) -> Result<Reply<SessionsResponse>, ApiError> {
    let deadline = api.lanes.store.deadline();
    let owner = bearer.authenticate(&api).await?;
    let listed = with_store_by(deadline, api, move |api| api.sessions.list.run(&owner)).await??;
    Ok(Reply::ok(SessionsResponse { sessions: listed.0.into_iter().map(Into::into).collect() }))
}

/// Revoke a session
///
/// Revokes all tokens of the session. Returns 204 even if it had already ended, and 404 if it does not
/// exist or is not yours.
#[api_v2_operation(operation_id = "revoke_session", tags(sessions))]
async fn revoke(
    api: Data<Api>,
    request: HttpRequest,
    bearer: Bearer,
    path: Path<SessionPath>,
) -> Result<NoContent, ApiError> {
    let deadline = api.lanes.store.deadline();
    let owner = bearer.authenticate(&api).await?;
    let input = SessionRevocation { session_id: named(&path)?, owner };
    let caller = Call::new(&api, &request).caller;
    with_store_by(deadline, api, move |api| api.sessions.revoke.run(&input, &caller)).await??;
    Ok(NoContent::default())
}

/// Get session timeline
///
/// Returns the last 500 events of a session, newest first, also after its end: every refresh with its
/// verdict, IP address and User-Agent. Returns 404 if the session does not exist or is not yours.
#[api_v2_operation(operation_id = "session_events", tags(sessions))]
async fn events(api: Data<Api>, bearer: Bearer, path: Path<SessionPath>) -> Result<Reply<TimelineResponse>, ApiError> {
    let deadline = api.lanes.store.deadline();
    let owner = bearer.authenticate(&api).await?;
    let session_id = named(&path)?;
    let read = with_store_by(deadline, api, move |api| api.sessions.timeline.run(&owner, session_id)).await??;
    Ok(Reply::ok(TimelineResponse { events: read.0.into_iter().map(Into::into).collect() }))
}

/// Log out everywhere
///
/// Ends all sessions of the account, or all but the current one with `keep_current`.
#[api_v2_operation(operation_id = "logout_all", tags(sessions))]
async fn logout_all(
    api: Data<Api>,
    request: HttpRequest,
    transport: Transport,
    bearer: Bearer,
    body: Body<LogoutAllRequest>,
) -> Result<Reply<LogoutAllResponse>, ApiError> {
    let deadline = api.lanes.store.deadline();
    let owner = bearer.authenticate(&api).await?;
    let cookies = transport.cookies(&api).filter(|_| !body.0).map(TokenCookies::clear).unwrap_or_default();
    let (input, caller) = (LogoutAll { owner, keep_current: body.0 }, Call::new(&api, &request).caller);
    let ended = with_store_by(deadline, api, move |api| api.sessions.log_out_all.run(&input, &caller)).await??;
    let body = LogoutAllResponse { message: "Logged out everywhere", revoked: ended.0 };
    Ok(Reply::ok(body).with_cookies(cookies))
}

/// Parses a session id. Malformed text gets the same error as an unknown id.
fn named(path: &SessionPath) -> Result<SessionId, NoSuchSession> {
    SessionId::parse(&path.id).ok_or(NoSuchSession)
}
