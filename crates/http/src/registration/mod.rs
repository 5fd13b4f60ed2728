//! `POST /auth/register` and `DELETE /auth/me`.

mod dto;

use crate::api::Api;
use crate::body::{Body, PASSWORD};
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::reply::{Created, NoContent};
use crate::routes::{Table, responds};
use crate::tokens::{Bearer, TokenCookies, Transport, proof};
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::Data;
use dto::{LeaveRequest, RegisterRequest};
use paperclip::actix::api_v2_operation;
use portcullis_domain::ErrorCode;
use portcullis_usecases::registration::OwnAccountDeletion;

pub(crate) use dto::UserResponse;

/// Registers the routes of this feature.
pub(crate) fn routes(table: &mut Table) {
    let created = responds("The new account.").fails(&[ErrorCode::Conflict, ErrorCode::RateLimited]);
    table.add(Method::POST, "/auth/register", register, created.sends_email().reads::<RegisterRequest>());
    let deleted = responds("The account and all its data are deleted.").fails(&[
        ErrorCode::InvalidCredentials,
        ErrorCode::StepUpRequired,
        ErrorCode::RateLimited,
    ]);
    table.add(Method::DELETE, "/auth/me", leave, deleted.offers_cookies().reads::<LeaveRequest>());
}

/// Create an account
///
/// Returns the new account. The email address is unique regardless of case, and stored in lower case.
/// All characters of the password are significant, regardless of its length. Returns 409 if the email
/// address is already registered, and 429 after too many attempts.
#[api_v2_operation(operation_id = "register", tags(auth))]
async fn register(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<RegisterRequest>,
) -> Result<Created<UserResponse>, ApiError> {
    let call = Call::new(&api, &request);
    let registered = call.counted(|api| &api.register, body.0, CallLane::Crypto).await?;
    Ok(Created::new(registered.0.into()))
}

/// Delete own account
///
/// Requires the account's password. An account without one omits it and needs recent authentication. Permanently deletes the account with its sessions, tokens and
/// emails. Returns 401 for a wrong password.
#[api_v2_operation(operation_id = "delete_account", tags(accounts))]
async fn leave(
    api: Data<Api>,
    request: HttpRequest,
    transport: Transport,
    bearer: Bearer,
    body: Body<LeaveRequest>,
) -> Result<NoContent, ApiError> {
    let owner = bearer.authenticate(&api).await?;
    let input = OwnAccountDeletion { password: proof(&owner, body.0, PASSWORD)?, owner };
    Call::new(&api, &request).counted(|api| &api.delete_own_account, input, CallLane::Crypto).await?;
    Ok(NoContent { cookies: transport.cookies(&api).map(TokenCookies::clear).unwrap_or_default() })
}
