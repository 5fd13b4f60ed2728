//! `POST /auth/password/change`, `/forgot` and `/reset`, and the password-reset page.

mod dto;
mod page;

pub(crate) use page::{address, chosen, open, submit};

use crate::api::{Api, with_store};
use crate::body::{Body, CURRENT_PASSWORD};
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::reply::{Accepted, MessageResponse, Reply};
use crate::routes::{Table, responds};
use crate::tokens::{Bearer, proof};
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use actix_web::web::Data;
use dto::{ChangePasswordRequest, ForgotPasswordRequest, ResetPasswordRequest};
use paperclip::actix::api_v2_operation;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::EmailAddress;
use portcullis_domain::verification::OneTimeToken;
use portcullis_usecases::recovery::{PasswordChange, PasswordReset};
use std::sync::Arc;

const CHANGED: MessageResponse = MessageResponse { message: "Password changed" };
const REQUESTED: MessageResponse =
    MessageResponse { message: "If there is an account with this address, a mail is on its way" };

/// Registers the routes of this feature.
pub(crate) fn routes(table: &mut Table) {
    let changed = responds("The password was changed.").example(&CHANGED);
    let changed = changed.fails(&[ErrorCode::InvalidCredentials, ErrorCode::StepUpRequired, ErrorCode::RateLimited]);
    table.add(Method::POST, "/auth/password/change", change, changed.sends_email().reads::<ChangePasswordRequest>());
    let requested = responds("An email may be on its way.").example(&REQUESTED).fails(&[ErrorCode::RateLimited]);
    table.add(Method::POST, "/auth/password/forgot", forgot, requested.sends_email().reads::<ForgotPasswordRequest>());
    let set = responds("The password was changed.").example(&CHANGED);
    let set = set.fails(&[ErrorCode::TokenInvalid, ErrorCode::TokenExpired]);
    table.add(Method::POST, "/auth/password/reset", reset, set.sends_email().reads::<ResetPasswordRequest>());
}

/// Change password
///
/// Requires the current password. An account without one omits it and needs recent authentication. Ends all other sessions of the account. Sets a new device cookie; all
/// other known devices are forgotten. Returns 401 for a wrong current password, which counts like a
/// failed login, and 429 after too many.
#[api_v2_operation(operation_id = "change_password", tags(accounts))]
async fn change(
    api: Data<Api>,
    request: HttpRequest,
    bearer: Bearer,
    body: Body<ChangePasswordRequest>,
) -> Result<Reply<MessageResponse>, ApiError> {
    let (current, new) = body.0;
    let owner = bearer.authenticate(&api).await?;
    let input = PasswordChange { current: proof(&owner, current, CURRENT_PASSWORD)?, owner, new };
    let call = Call::new(&api, &request);
    let changed = call.counted(|api| &api.recovery.change, input, CallLane::Crypto).await?;
    let cookie = call.set_device_cookie(&changed.cookie);
    Ok(Reply::ok(CHANGED).with_cookies(cookie))
}

/// Request password reset
///
/// Sends an email with a link to set a new password, if the account exists. Responds at once, and the
/// same for every email address: the account is looked up later, when the email is created.
#[api_v2_operation(operation_id = "forgot_password", tags(accounts))]
async fn forgot(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<ForgotPasswordRequest>,
) -> Result<Accepted<MessageResponse>, ApiError> {
    ask(&api, &request, body.0).await?;
    Ok(Accepted(REQUESTED))
}

/// Reset password
///
/// Sets a new password, authorized by the token of a password-reset email. The token is valid for 30
/// minutes and can be used once. Ends all sessions of the account and starts none. Removes passkeys and
/// the identities of providers if `remove_other_sign_in_methods` is true, or if the email address was not
/// verified yet. Sets a device cookie and clears the count of failed logins. Returns 401 if the token is invalid or expired.
#[api_v2_operation(operation_id = "reset_password", tags(accounts))]
async fn reset(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<ResetPasswordRequest>,
) -> Result<Reply<MessageResponse>, ApiError> {
    let (token, new, remove_others) = body.0;
    let input = PasswordReset { token: one_time_token(&token)?, new, remove_others };
    let cookie = set(&api, &request, input).await?;
    Ok(Reply::ok(CHANGED).with_cookies(cookie))
}

/// Requests the email.
async fn ask(api: &Data<Api>, request: &HttpRequest, email: EmailAddress) -> Result<(), ApiError> {
    Call::new(api, request).counted(|api| &api.recovery.request, email, CallLane::Store).await?;
    Ok(())
}

/// Sets a password with a token, and returns the device cookie. Checks the token first, so that an
/// invalid one does not occupy the queue for hashes.
async fn set(api: &Data<Api>, request: &HttpRequest, input: PasswordReset) -> Result<Option<HeaderValue>, ApiError> {
    let (call, input) = (Call::new(api, request), Arc::new(input));
    let presented = Arc::clone(&input);
    with_store(api.clone(), move |api| api.recovery.reset.precheck(&presented)).await??;
    let done = call.hash(move |api, caller| api.recovery.reset.execute(&input, caller)).await?;
    Ok(call.set_device_cookie(&done.cookie))
}

/// Parses a token. Malformed text gets the same error as an unknown token.
pub(crate) fn one_time_token(text: &str) -> Result<OneTimeToken, ApiError> {
    OneTimeToken::parse(text).ok_or_else(|| ApiError::new(ErrorCode::TokenInvalid, "Invalid token"))
}
