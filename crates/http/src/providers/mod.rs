//! `/auth/providers`, `/auth/code` and `/auth/identities`: sign-in with identity providers.

mod browser;
mod dto;
mod query;

pub(crate) use browser::{begin, set_flow_cookies};
pub(crate) use query::{StartError, StartQuery};

use crate::api::{Api, with_store};
use crate::body::Body;
use crate::call::{Call, CallLane};
use crate::errors::{ApiError, FieldError};
use crate::reply::{NoContent, Reply};
use crate::routes::{Table, responds};
use crate::tokens::{Bearer, Issued, Transport};
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::{Data, get, post};
use dto::{
    CodeRequest, IdTokenRequest, IdentitiesResponse, IdentityPath, LinkRequest, LinkResponse, ProviderPath,
    ProvidersResponse,
};
use paperclip::actix::api_v2_operation;
use paperclip::actix::web::Path;
use portcullis_domain::ErrorCode;
use portcullis_domain::providers::{IdentityId, LINK_START_LIFETIME};
use portcullis_usecases::providers::{IdTokenReason, IdTokenSignIn, IdentityReason, ProviderReason, SignInStart};
use std::convert::identity;

/// Registers the routes of this feature.
pub(crate) fn routes(table: &mut Table) {
    let listed = responds("The providers that people can sign in with.").fails(&[ErrorCode::RateLimited]);
    table.add(Method::GET, "/auth/providers", list, listed);
    table.page("/auth/providers/{name}/start", [get().to(browser::start)]);
    table.page("/auth/providers/{name}/callback", [get().to(browser::callback), post().to(browser::posted_callback)]);
    table.page("/auth/providers/{name}/connect", [get().to(browser::open_link), post().to(browser::confirm_link)]);
    let offered = responds("A one-time URL for the browser of this session.").reads::<LinkRequest>();
    let offered = offered.fails(&[ErrorCode::StepUpRequired, ErrorCode::NotFound]);
    table.add(Method::POST, "/auth/providers/{name}/link", link, offered);
    let exchanged = responds("The tokens of a new session.").reads::<CodeRequest>().fails(&[
        ErrorCode::InvalidCredentials,
        ErrorCode::TokenInvalid,
        ErrorCode::TokenExpired,
        ErrorCode::TokenRevoked,
        ErrorCode::EmailUnverified,
        ErrorCode::MfaRequired,
        ErrorCode::MfaEnrolmentRequired,
        ErrorCode::RateLimited,
    ]);
    table.add(Method::POST, "/auth/code", code, exchanged.sends_email().offers_cookies());
    let native = responds("The tokens of a new session.").reads::<IdTokenRequest>().fails(&[
        ErrorCode::InvalidCredentials,
        ErrorCode::TokenInvalid,
        ErrorCode::EmailUnverified,
        ErrorCode::MfaRequired,
        ErrorCode::MfaEnrolmentRequired,
        ErrorCode::Forbidden,
        ErrorCode::NotFound,
        ErrorCode::Conflict,
        ErrorCode::RateLimited,
    ]);
    table.add(Method::POST, "/auth/providers/{name}/id-token", id_token, native.sends_email().offers_cookies());
    table.add(Method::GET, "/auth/identities", identities, responds("The ways to sign in to the account."));
    let removed = responds("The identity was removed.");
    let removed = removed.fails(&[ErrorCode::StepUpRequired, ErrorCode::NotFound, ErrorCode::Conflict]);
    table.add(Method::DELETE, "/auth/identities/{id}", unlink, removed.sends_email());
}

/// List providers
///
/// Returns the identity providers that people can sign in with. Send the browser to `start_url` with
/// `redirect_uri`, `state`, `code_challenge` and `code_challenge_method=S256`. It returns to `redirect_uri`
/// with a `code` for `/auth/code`, or with an `error`.
#[api_v2_operation(operation_id = "providers", tags(providers))]
async fn list(api: Data<Api>, request: HttpRequest) -> Result<Reply<ProvidersResponse>, ApiError> {
    Call::new(&api, &request).count().await?;
    Ok(Reply::ok(ProvidersResponse::of(&api.providers.providers)))
}

/// Link an identity
///
/// Returns a one-time URL that links an identity of the provider to the account. Open it in the browser of
/// this session: the person confirms there, and signs in with the provider. Needs recent authentication.
#[api_v2_operation(operation_id = "link_identity", tags(providers))]
async fn link(
    api: Data<Api>,
    bearer: Bearer,
    path: Path<ProviderPath>,
    body: Body<LinkRequest>,
) -> Result<Reply<LinkResponse>, ApiError> {
    let session = bearer.authenticate(&api).await?;
    let (redirect_uri, state) = body.0;
    if !api.providers.providers.redirect_uris.contains(&redirect_uri) {
        let message = "Input should be one of the service's redirect URIs".to_owned();
        return Err(ApiError::validation(vec![FieldError { field: "redirect_uri", code: "value_error", message }]));
    }
    if state.as_ref().is_some_and(|state| state.len() > query::MAX_STATE_BYTES) {
        return Err(state_too_long());
    }
    let (provider, challenge, login_hint, prompt, again) = (path.into_inner().name, None, None, None, None);
    let start = SignInStart { provider, redirect_uri, state, challenge, login_hint, prompt, again };
    let url = format!("{}/auth/providers/{}/connect", api.providers.providers.public_url, start.provider);
    let token = with_store(api, move |api| api.providers.link.offer(&session, &start)).await??;
    let start_url = format!("{url}?token={}", token.expose());
    Ok(Reply::secret(LinkResponse { start_url, expires_in: LINK_START_LIFETIME.num_seconds() }))
}

/// Exchange a sign-in code
///
/// Begins the session of a person who signed in with a provider, with the code that came to `redirect_uri`.
/// A code is valid for 60 seconds and works once; a second use ends the session that it began. Returns 403
/// if the account has a second factor: complete the login at `/auth/mfa/verify`.
#[api_v2_operation(operation_id = "exchange_code", tags(providers))]
async fn code(
    api: Data<Api>,
    request: HttpRequest,
    transport: Transport,
    body: Body<CodeRequest>,
) -> Result<Reply<Issued>, ApiError> {
    let (input, forget) = body.0;
    let call = Call::new(&api, &request).forgetting(forget);
    let logged_in = call.counted(|api| &api.providers.exchange, input, CallLane::Store).await?;
    Ok(Issued::from(logged_in).reply(&call, transport, identity))
}

/// Sign in with an ID token
///
/// Begins a session with the ID token that a native app got from the provider. The token must be issued to
/// this service or one of its apps, at most 10 minutes old, and works once. If it has a nonce, send it.
/// Returns 409 if an account has the email address and the identity may not be linked to it.
#[api_v2_operation(operation_id = "sign_in_with_id_token", tags(providers))]
async fn id_token(
    api: Data<Api>,
    request: HttpRequest,
    transport: Transport,
    path: Path<ProviderPath>,
    body: Body<IdTokenRequest>,
) -> Result<Reply<Issued>, ApiError> {
    let (input, forget) = body.0;
    let call = Call::new(&api, &request).forgetting(forget);
    call.count().await?;
    let name = path.into_inner().name;
    let input = IdTokenSignIn { provider: name.clone(), ..input };
    let verified = with_provider(&api, &name, move |api| api.providers.native.verify(&input)).await?;
    let verified = verified.map_err(IdTokenReason::from)?;
    let logged_in = call.counted(|api| &api.providers.native, verified, CallLane::Store).await?;
    Ok(Issued::from(logged_in).reply(&call, transport, identity))
}

/// List own identities
///
/// Returns the identities that are linked to the account, and its other ways to sign in.
#[api_v2_operation(operation_id = "identities", tags(providers))]
async fn identities(api: Data<Api>, bearer: Bearer) -> Result<Reply<IdentitiesResponse>, ApiError> {
    let session = bearer.authenticate(&api).await?;
    let listed = with_store(api.clone(), move |api| api.providers.list.run(&session)).await??;
    Ok(Reply::ok(IdentitiesResponse::of(listed, &api.providers.providers)))
}

/// Unlink an identity
///
/// Needs recent authentication. Returns 409 if the account could not be signed in to without the identity.
#[api_v2_operation(operation_id = "unlink_identity", tags(providers))]
async fn unlink(
    api: Data<Api>,
    request: HttpRequest,
    bearer: Bearer,
    path: Path<IdentityPath>,
) -> Result<NoContent, ApiError> {
    let session = bearer.authenticate(&api).await?;
    let id = IdentityId::parse(&path.id).ok_or(IdentityReason::NotFound)?;
    let caller = Call::new(&api, &request).caller;
    with_store(api, move |api| api.providers.unlink.run(&session, id, &caller)).await??;
    Ok(NoContent::default())
}

/// Runs work that may call a provider, in the provider's lane.
async fn with_provider<T: Send + 'static>(
    api: &Data<Api>,
    name: &str,
    work: impl FnOnce(&Api) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let shared = api.clone();
    let lane = api.lanes.outbound.get(name).ok_or_else(unknown_provider)?;
    Ok(lane.run(move || work(&shared)).await?)
}

/// Returns the error for a `state` that is too long to be stored.
pub(crate) fn state_too_long() -> ApiError {
    let message = format!("Input should have at most {} bytes", query::MAX_STATE_BYTES);
    ApiError::validation(vec![FieldError { field: "state", code: "string_too_long", message }])
}

/// Returns the error for a provider that does not exist.
fn unknown_provider() -> ApiError {
    ProviderReason::Unknown.into()
}
