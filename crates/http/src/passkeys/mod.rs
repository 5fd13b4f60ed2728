//! `/auth/passkeys` and `/.well-known/webauthn`: passkeys (WebAuthn Level 3).

mod dto;
mod options;

pub(crate) use dto::SignalResponse;
pub(crate) use options::{
    CredentialParameters, CredentialReference, PublicKeyCreationOptions, PublicKeyRequestOptions,
};

use crate::api::{Api, with_store};
use crate::body::Body;
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::reply::{Created, NoContent, Reply};
use crate::routes::{Table, responds};
use crate::tokens::{Bearer, Issued, Transport};
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::Data;
use dto::{
    AddPasskeyRequest, AddPasskeyResponse, NewPasskey, PasskeyLogInOptionsRequest, PasskeyLogInOptionsResponse,
    PasskeyLogInRequest, PasskeyOptionsRequest, PasskeyOptionsResponse, PasskeyPath, PasskeyResponse, PasskeysResponse,
    RelatedOriginsResponse, RenamePasskeyRequest,
};
use paperclip::actix::api_v2_operation;
use paperclip::actix::web::Path;
use portcullis_domain::ErrorCode;
use portcullis_domain::passkeys::PasskeyId;
use portcullis_usecases::passkeys::{PasskeyReason, PasskeyRegistration};
use std::convert::identity;

/// Message of the response if there are no related origins.
pub(crate) const NO_RELATED_ORIGINS: &str = "There are no related origins";

/// Registers the routes of this feature.
pub(crate) fn routes(table: &mut Table) {
    let offered = responds("Options for the browser.").reads::<PasskeyOptionsRequest>();
    let offered = offered.fails(&[ErrorCode::StepUpRequired, ErrorCode::NotFound]);
    table.add(Method::POST, "/auth/passkeys/options", prepare, offered);
    let added = responds("The passkey.").reads::<AddPasskeyRequest>();
    let added = added.fails(&[ErrorCode::StepUpRequired, ErrorCode::NotFound, ErrorCode::Conflict]);
    table.add(Method::POST, "/auth/passkeys", add, added.sends_email());
    let listed = responds("The passkeys of the account.").fails(&[ErrorCode::NotFound]);
    table.add(Method::GET, "/auth/passkeys", list, listed);
    let offered = responds("Options for the browser.").reads::<PasskeyLogInOptionsRequest>();
    let offered = offered.fails(&[ErrorCode::NotFound, ErrorCode::RateLimited]);
    table.add(Method::POST, "/auth/passkeys/login/options", prepare_log_in, offered);
    let begun = responds("The tokens of a new session.").reads::<PasskeyLogInRequest>().fails(&[
        ErrorCode::InvalidCredentials,
        ErrorCode::EmailUnverified,
        ErrorCode::MfaRequired,
        ErrorCode::NotFound,
        ErrorCode::RateLimited,
    ]);
    table.add(Method::POST, "/auth/passkeys/login", log_in, begun.sends_email().offers_cookies());
    let renamed = responds("The renamed passkey.").reads::<RenamePasskeyRequest>().fails(&[ErrorCode::NotFound]);
    table.add(Method::PATCH, "/auth/passkeys/{id}", rename, renamed);
    let removed = responds("The passkey was removed.");
    let removed = removed.fails(&[ErrorCode::StepUpRequired, ErrorCode::NotFound, ErrorCode::Conflict]);
    table.add(Method::DELETE, "/auth/passkeys/{id}", remove, removed.sends_email());
    let related = responds("The related origins.").fails(&[ErrorCode::NotFound, ErrorCode::RateLimited]);
    table.add(Method::GET, "/.well-known/webauthn", related_origins, related);
}

/// Prepare a passkey
///
/// Returns options to create a passkey, valid for 5 minutes. Give them to
/// `PublicKeyCredential.parseCreationOptionsFromJSON` and `navigator.credentials.create`, and send the result of
/// `credential.toJSON()` to `/auth/passkeys`. Needs recent authentication. Returns 404 if passkeys are off.
#[api_v2_operation(operation_id = "passkey_options", tags(passkeys))]
async fn prepare(
    api: Data<Api>,
    bearer: Bearer,
    body: Body<PasskeyOptionsRequest>,
) -> Result<Reply<PasskeyOptionsResponse>, ApiError> {
    let (session, second_factor) = (bearer.authenticate(&api).await?, body.0);
    let options = with_store(api.clone(), move |api| api.passkeys.prepare.run(&session, second_factor)).await??;
    let public_key = PublicKeyCreationOptions::of(options, &api.config.app_name);
    Ok(Reply::secret(PasskeyOptionsResponse { public_key }))
}

/// Add a passkey
///
/// Stores the passkey that the browser created. The account's first second factor comes with recovery codes,
/// which are not returned again, and ends every other session. Needs recent authentication. A refused `credential`
/// is 422 with the code `challenge`, `challenge_expired`, `origin`, `rp_id`, `type`, `user_presence`,
/// `user_verification`, `algorithm` or `malformed`. Returns 409 if an account has the passkey, or this one has 20.
#[api_v2_operation(operation_id = "add_passkey", tags(passkeys))]
async fn add(
    api: Data<Api>,
    request: HttpRequest,
    bearer: Bearer,
    body: Body<AddPasskeyRequest>,
) -> Result<Created<AddPasskeyResponse>, ApiError> {
    let NewPasskey { name, second_factor, credential } = body.0;
    let input = PasskeyRegistration { session: bearer.authenticate(&api).await?, name, second_factor, credential };
    let caller = Call::new(&api, &request).caller;
    let added = with_store(api, move |api| api.passkeys.add.run(input, &caller)).await??;
    Ok(Created::secret(added.into()))
}

/// List own passkeys
///
/// Returns the passkeys of the account, and the argument of `PublicKeyCredential.signalAllAcceptedCredentials`.
#[api_v2_operation(operation_id = "passkeys", tags(passkeys))]
async fn list(api: Data<Api>, bearer: Bearer) -> Result<Reply<PasskeysResponse>, ApiError> {
    let session = bearer.authenticate(&api).await?;
    let listed = with_store(api, move |api| api.passkeys.list.run(&session)).await??;
    Ok(Reply::ok(listed.into()))
}

/// Prepare a sign-in with a passkey
///
/// Returns options to sign in, valid for 5 minutes. Give them to
/// `PublicKeyCredential.parseRequestOptionsFromJSON` and `navigator.credentials.get`, with
/// `mediation: "conditional"` for autofill. They name no account. Returns 404 if passkeys are off.
#[api_v2_operation(operation_id = "passkey_login_options", tags(passkeys))]
async fn prepare_log_in(
    api: Data<Api>,
    request: HttpRequest,
    _: Body<PasskeyLogInOptionsRequest>,
) -> Result<Reply<PasskeyLogInOptionsResponse>, ApiError> {
    Call::new(&api, &request).count().await?;
    let options = api.passkeys.ceremonies.log_in_options()?;
    Ok(Reply::secret(PasskeyLogInOptionsResponse { public_key: options.into() }))
}

/// Sign in with a passkey
///
/// Begins a session with the result of `credential.toJSON()`. A passkey that verified its user counts as both
/// factors. One that did not counts as one: returns 403 if the account has another second factor. Everything
/// else that is wrong is 401. If no account has the passkey, `details.unknown_credential` is true: call
/// `PublicKeyCredential.signalUnknownCredential` then, and only then.
#[api_v2_operation(operation_id = "login_with_passkey", tags(passkeys))]
async fn log_in(
    api: Data<Api>,
    request: HttpRequest,
    transport: Transport,
    body: Body<PasskeyLogInRequest>,
) -> Result<Reply<Issued>, ApiError> {
    let (input, forget) = body.0;
    let call = Call::new(&api, &request).forgetting(forget);
    let logged_in = call.counted(|api| &api.passkeys.log_in, input, CallLane::Store).await?;
    Ok(Issued::from(logged_in).reply(&call, transport, identity))
}

/// Rename a passkey
///
/// Returns 404 if it does not exist or is not yours.
#[api_v2_operation(operation_id = "rename_passkey", tags(passkeys))]
async fn rename(
    api: Data<Api>,
    bearer: Bearer,
    path: Path<PasskeyPath>,
    body: Body<RenamePasskeyRequest>,
) -> Result<Reply<PasskeyResponse>, ApiError> {
    let session = bearer.authenticate(&api).await?;
    let (id, name) = (passkey(&path)?, body.0);
    let renamed = with_store(api, move |api| api.passkeys.rename.run(&session, id, &name)).await??;
    Ok(Reply::ok(renamed.into()))
}

/// Remove a passkey
///
/// Needs recent authentication. With the last second factor, recovery codes are removed and every other session
/// ends. Returns 409 if the account could not be signed in to without the passkey, or if the service requires a
/// second factor and this is the last one.
#[api_v2_operation(operation_id = "remove_passkey", tags(passkeys))]
async fn remove(
    api: Data<Api>,
    request: HttpRequest,
    bearer: Bearer,
    path: Path<PasskeyPath>,
) -> Result<NoContent, ApiError> {
    let session = bearer.authenticate(&api).await?;
    let (id, caller) = (passkey(&path)?, Call::new(&api, &request).caller);
    with_store(api, move |api| api.passkeys.remove.run(&session, id, &caller)).await??;
    Ok(NoContent::default())
}

/// List related origins
///
/// Returns the origins that may use passkeys of this RP ID although they are on other domains (WebAuthn §5.11).
/// Returns 404 if there are none.
#[api_v2_operation(operation_id = "related_origins", tags(passkeys))]
async fn related_origins(api: Data<Api>, request: HttpRequest) -> Result<Reply<RelatedOriginsResponse>, ApiError> {
    Call::new(&api, &request).count().await?;
    let origins = api.config.related_origins.clone();
    if origins.is_empty() {
        return Err(ApiError::new(ErrorCode::NotFound, NO_RELATED_ORIGINS));
    }
    Ok(Reply::ok(RelatedOriginsResponse { origins }))
}

/// Parses the id of a passkey. Malformed text gets the same error as an unknown id.
fn passkey(path: &PasskeyPath) -> Result<PasskeyId, PasskeyReason> {
    PasskeyId::parse(&path.id).ok_or(PasskeyReason::NotFound)
}
