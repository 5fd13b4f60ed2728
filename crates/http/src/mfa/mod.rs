//! `/auth/mfa` and `/auth/reauthenticate`: second factors and recent authentication.

mod dto;
pub(crate) mod qr;

use crate::api::{Api, with_store};
use crate::body::Body;
use crate::call::{Call, CallLane};
use crate::errors::{ApiError, reauthentication_methods};
use crate::passkeys::PublicKeyRequestOptions;
use crate::reply::{Created, NoContent, Reply};
use crate::routes::{Table, responds};
use crate::tokens::{Bearer, Issued, Transport, exposed};
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::Data;
use dto::{
    ConfirmTotpRequest, ConfirmTotpResponse, DevicesResponse, EnrolTotpRequest, EnrolTotpResponse, FactorResponse,
    IdPath, MfaResponse, ReauthenticateRequest, ReauthenticateResponse, ReauthenticationOptionsResponse,
    RecoveryCodesResponse, RenameTotpRequest, VerifyMfaRequest,
};
use paperclip::actix::api_v2_operation;
use paperclip::actix::web::Path;
use portcullis_domain::ErrorCode;
use portcullis_domain::mfa::{FactorId, TrustedDeviceId};
use portcullis_domain::tokens::ChallengePurpose;
use portcullis_usecases::mfa::{
    Enrollee, MfaReason, ReauthenticationInput, ReauthenticationProof, TotpConfirmation, TotpConfirmed, TotpEnrolment,
};
use std::convert::identity;

/// Registers the routes of this feature.
pub(crate) fn routes(table: &mut Table) {
    table.add(Method::GET, "/auth/mfa", overview, responds("The second factors of the account."));
    let begun = responds("The authenticator app, to be confirmed.").reads::<EnrolTotpRequest>();
    let begun = begun.fails(&[ErrorCode::TokenRevoked, ErrorCode::StepUpRequired, ErrorCode::Conflict]);
    table.add(Method::POST, "/auth/mfa/totp", enrol, begun);
    let confirmed = responds("The confirmed factor.").reads::<ConfirmTotpRequest>().fails(&[
        ErrorCode::InvalidCredentials,
        ErrorCode::TokenRevoked,
        ErrorCode::EmailUnverified,
        ErrorCode::NotFound,
        ErrorCode::RateLimited,
    ]);
    table.add(Method::POST, "/auth/mfa/totp/{id}/confirm", confirm, confirmed.sends_email().offers_cookies());
    let renamed = responds("The renamed factor.").reads::<RenameTotpRequest>().fails(&[ErrorCode::NotFound]);
    table.add(Method::PATCH, "/auth/mfa/totp/{id}", rename, renamed);
    let removed = responds("The factor was removed.");
    let removed = removed.fails(&[ErrorCode::StepUpRequired, ErrorCode::NotFound, ErrorCode::Conflict]);
    table.add(Method::DELETE, "/auth/mfa/totp/{id}", remove, removed.sends_email());
    let renewed = responds("The new recovery codes.").fails(&[ErrorCode::StepUpRequired, ErrorCode::NotFound]);
    table.add(Method::POST, "/auth/mfa/recovery-codes", renew_recovery_codes, renewed);
    let verified = responds("The tokens of a new session.").reads::<VerifyMfaRequest>().fails(&[
        ErrorCode::InvalidCredentials,
        ErrorCode::TokenInvalid,
        ErrorCode::TokenExpired,
        ErrorCode::TokenRevoked,
        ErrorCode::EmailUnverified,
        ErrorCode::RateLimited,
    ]);
    table.add(Method::POST, "/auth/mfa/verify", verify, verified.sends_email().offers_cookies());
    table.add(Method::GET, "/auth/mfa/devices", devices, responds("The trusted devices."));
    table.add(Method::DELETE, "/auth/mfa/devices", forget_devices, responds("No device is trusted any more."));
    let forgotten = responds("The device is no longer trusted.").fails(&[ErrorCode::NotFound]);
    table.add(Method::DELETE, "/auth/mfa/devices/{id}", forget_device, forgotten);
    let options = responds("The ways to authenticate again.");
    table.add(Method::POST, "/auth/reauthenticate/options", reauthentication_options, options);
    let again = responds("A new access token of the same session.").reads::<ReauthenticateRequest>();
    let again = again.fails(&[ErrorCode::InvalidCredentials, ErrorCode::RateLimited]);
    table.add(Method::POST, "/auth/reauthenticate", reauthenticate, again.sends_email().offers_cookies());
}

/// Get second factors
///
/// Returns the confirmed authenticator apps of the account and the number of unused recovery codes.
#[api_v2_operation(operation_id = "mfa", tags(mfa))]
async fn overview(api: Data<Api>, bearer: Bearer) -> Result<Reply<MfaResponse>, ApiError> {
    let session = bearer.authenticate(&api).await?;
    let listed = with_store(api, move |api| api.mfa.list.run(&session)).await??;
    Ok(Reply::ok(listed.into()))
}

/// Begin enrolment of an authenticator app
///
/// Returns a secret, which is not returned again. Confirm it with a code within 10 minutes. Replaces an
/// earlier unconfirmed one. Needs recent authentication, or the `mfa_token` of an
/// `AUTH_MFA_ENROLMENT_REQUIRED` response. Returns 409 if the account has five apps.
#[api_v2_operation(operation_id = "enrol_totp", tags(mfa))]
async fn enrol(
    api: Data<Api>,
    bearer: Bearer,
    body: Body<EnrolTotpRequest>,
) -> Result<Created<EnrolTotpResponse>, ApiError> {
    let input = TotpEnrolment { enrollee: enrollee(&api, bearer).await?, name: body.0 };
    let enrolled = with_store(api, move |api| api.mfa.enrol.run(input)).await??;
    Ok(Created::secret(enrolled.try_into()?))
}

/// Confirm an authenticator app
///
/// Confirms the app with one of its codes. The account's first app comes with recovery codes, which are
/// not returned again, and ends every other session. If a login required the enrolment, also returns the
/// tokens of a new session. Returns 401 for a wrong code, which leaves the app unconfirmed.
#[api_v2_operation(operation_id = "confirm_totp", tags(mfa))]
async fn confirm(
    api: Data<Api>,
    request: HttpRequest,
    bearer: Bearer,
    path: Path<IdPath>,
    body: Body<ConfirmTotpRequest>,
) -> Result<Reply<ConfirmTotpResponse>, ApiError> {
    let (transport, (code, forget)) = (Transport::of(&request, &api)?, body.0);
    let input = TotpConfirmation { enrollee: enrollee(&api, bearer).await?, id: factor(&path)?, code };
    let call = Call::new(&api, &request).forgetting(forget);
    let caller = call.caller.clone();
    let confirmed = with_store(api.clone(), move |api| api.mfa.confirm.run(&input, &caller)).await??;
    let TotpConfirmed { factor, recovery_codes, sessions_ended, logged_in } = confirmed;
    let issued = logged_in.map(Issued::from).unwrap_or_default().with_recovery_codes(recovery_codes);
    let body = |issued| ConfirmTotpResponse { factor: factor.into(), sessions_ended, issued };
    Ok(issued.reply(&call, transport, body))
}

/// Rename an authenticator app
///
/// Returns 404 if the app does not exist, is not yours, or is not confirmed.
#[api_v2_operation(operation_id = "rename_totp", tags(mfa))]
async fn rename(
    api: Data<Api>,
    bearer: Bearer,
    path: Path<IdPath>,
    body: Body<RenameTotpRequest>,
) -> Result<Reply<FactorResponse>, ApiError> {
    let session = bearer.authenticate(&api).await?;
    let (id, name) = (factor(&path)?, body.0);
    let renamed = with_store(api, move |api| api.mfa.rename.run(&session, id, &name)).await??;
    Ok(Reply::ok(renamed.into()))
}

/// Remove an authenticator app
///
/// Needs recent authentication. With the last app, recovery codes are removed and every other session ends.
/// Returns 409 for the last one if the service requires a second factor.
#[api_v2_operation(operation_id = "remove_totp", tags(mfa))]
async fn remove(
    api: Data<Api>,
    request: HttpRequest,
    bearer: Bearer,
    path: Path<IdPath>,
) -> Result<NoContent, ApiError> {
    let session = bearer.authenticate(&api).await?;
    let (id, caller) = (factor(&path)?, Call::new(&api, &request).caller);
    with_store(api, move |api| api.mfa.remove.run(&session, id, &caller)).await??;
    Ok(NoContent::default())
}

/// Replace recovery codes
///
/// Returns ten new codes, which are not returned again. The old ones stop working. Needs recent authentication. Returns 404
/// if the account has no second factor.
#[api_v2_operation(operation_id = "renew_recovery_codes", tags(mfa))]
async fn renew_recovery_codes(api: Data<Api>, bearer: Bearer) -> Result<Reply<RecoveryCodesResponse>, ApiError> {
    let session = bearer.authenticate(&api).await?;
    let codes = with_store(api, move |api| api.mfa.renew_recovery_codes.run(&session)).await??;
    Ok(Reply::secret(RecoveryCodesResponse { recovery_codes: exposed(codes) }))
}

/// Complete a login
///
/// Begins the session of a login whose response was `AUTH_MFA_REQUIRED`. Send one of `code`, `recovery_code` and
/// `credential`, the response of a passkey to the `publicKey` of that response. Each works once. Returns 401 for a
/// wrong one, after which the `mfa_token` stays valid, and if the token is invalid, has expired or has begun a
/// session. Wrong ones count by account: returns 429 after too many.
#[api_v2_operation(operation_id = "verify_mfa", tags(mfa))]
async fn verify(
    api: Data<Api>,
    request: HttpRequest,
    transport: Transport,
    body: Body<VerifyMfaRequest>,
) -> Result<Reply<Issued>, ApiError> {
    let (input, forget) = body.0;
    let call = Call::new(&api, &request).forgetting(forget);
    let logged_in = call.counted(|api| &api.mfa.verify, input, CallLane::Store).await?;
    Ok(Issued::from(logged_in).reply(&call, transport, identity))
}

/// List trusted devices
///
/// Returns the devices on which a login needs no second factor for a while, newest first.
#[api_v2_operation(operation_id = "trusted_devices", tags(mfa))]
async fn devices(api: Data<Api>, request: HttpRequest, bearer: Bearer) -> Result<Reply<DevicesResponse>, ApiError> {
    let session = bearer.authenticate(&api).await?;
    let caller = Call::new(&api, &request).caller;
    let own = with_store(api, move |api| api.mfa.devices.list(&session, &caller)).await??;
    Ok(Reply::ok(DevicesResponse { devices: own.into_iter().map(Into::into).collect() }))
}

/// Forget all trusted devices
#[api_v2_operation(operation_id = "forget_trusted_devices", tags(mfa))]
async fn forget_devices(api: Data<Api>, bearer: Bearer) -> Result<NoContent, ApiError> {
    let session = bearer.authenticate(&api).await?;
    with_store(api, move |api| api.mfa.devices.forget_all(&session)).await??;
    Ok(NoContent::default())
}

/// Forget a trusted device
///
/// Returns 404 if it does not exist or is not yours.
#[api_v2_operation(operation_id = "forget_trusted_device", tags(mfa))]
async fn forget_device(api: Data<Api>, bearer: Bearer, path: Path<IdPath>) -> Result<NoContent, ApiError> {
    let session = bearer.authenticate(&api).await?;
    let id = TrustedDeviceId::parse(&path.id).ok_or(MfaReason::DeviceNotFound)?;
    with_store(api, move |api| api.mfa.devices.forget(&session, id)).await??;
    Ok(NoContent::default())
}

/// Get ways to authenticate again
///
/// Returns what the account can present at `/auth/reauthenticate`, with options for
/// `PublicKeyCredential.parseRequestOptionsFromJSON` if it has a passkey. An account without a password and a
/// passkey has nothing to present: its user signs in with the provider again.
#[api_v2_operation(operation_id = "reauthentication_options", tags(mfa))]
async fn reauthentication_options(
    api: Data<Api>,
    bearer: Bearer,
) -> Result<Reply<ReauthenticationOptionsResponse>, ApiError> {
    let session = bearer.authenticate(&api).await?;
    let options = with_store(api, move |api| api.mfa.prepare_reauthentication.run(&session)).await??;
    let public_key = options.passkey.map(PublicKeyRequestOptions::from);
    Ok(Reply::secret(ReauthenticationOptionsResponse {
        methods: reauthentication_methods(&options.methods),
        public_key,
    }))
}

/// Authenticate again
///
/// Makes the authentication of the session recent, and returns a new access token. The refresh token stays
/// the same. If the account has a second factor, also send its `code`; or send only the `credential` of a passkey
/// that verified the user. Returns 401 for a wrong password or passkey, which counts like a failed login, and for
/// a wrong or missing code. Returns 429 after too many.
#[api_v2_operation(operation_id = "reauthenticate", tags(mfa))]
async fn reauthenticate(
    api: Data<Api>,
    request: HttpRequest,
    transport: Transport,
    bearer: Bearer,
    body: Body<ReauthenticateRequest>,
) -> Result<Reply<ReauthenticateResponse>, ApiError> {
    let lane = match body.0 {
        ReauthenticationProof::Password { .. } => CallLane::Crypto,
        ReauthenticationProof::Passkey(_) => CallLane::Store,
    };
    let input = ReauthenticationInput { session: bearer.authenticate(&api).await?, proof: body.0 };
    let call = Call::new(&api, &request);
    let token = call.counted(|api| &api.mfa.reauthenticate, input, lane).await?;
    Ok(Issued::from(token).reply(&call, transport, ReauthenticateResponse))
}

/// Reads the bearer of an enrolment: a session, or a login that requires one.
async fn enrollee(api: &Data<Api>, bearer: Bearer) -> Result<Enrollee, ApiError> {
    match api.mfa.challenges.read(&bearer.0, ChallengePurpose::Enrolment) {
        Ok(claims) => Ok(Enrollee::LogIn(claims)),
        Err(_) => Ok(Enrollee::Session(bearer.authenticate(api).await?)),
    }
}

/// Parses the id of a factor. Malformed text gets the same error as an unknown id.
fn factor(path: &IdPath) -> Result<FactorId, MfaReason> {
    FactorId::parse(&path.id).ok_or(MfaReason::NotFound)
}
