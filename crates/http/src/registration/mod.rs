//! `POST /auth/register` and `DELETE /auth/me`.

mod dto;

use crate::api::{Api, RequestGuard, with_crypto};
use crate::body::Body;
use crate::client_info::client_info;
use crate::errors::ApiError;
use crate::language::language;
use crate::limits::{self, ClientAddress, device_cookie};
use crate::reply::{Created, NoContent};
use crate::tokens::Bearer;
use actix_web::HttpRequest;
use actix_web::web::Data;
use dto::{LeaveRequest, RegisterRequest};
use paperclip::actix::api_v2_operation;
use portcullis_usecases::registration::{OwnAccountDeletion, Registration};
use std::sync::Arc;

pub(crate) use dto::UserResponse;

/// Create an account
///
/// Returns the new account. The email address is unique regardless of case, and stored in lower case.
/// All characters of the password are significant, regardless of its length. Returns 409 if the email
/// address is already registered, and 429 after too many attempts.
#[api_v2_operation(operation_id = "register", tags(auth))]
pub(crate) async fn register(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<RegisterRequest>,
) -> Result<Created<UserResponse>, ApiError> {
    let client = ClientAddress::from_request(&request, &api);
    let (info, language) = (client_info(&request, &client), language(&request));
    let input = Arc::new(Registration { client: info, language, ..body.0 });
    let asked = Arc::clone(&input);
    let pass = limits::admit(&api, &client, move |api| api.register.admit(&asked)).await?;
    let work = move |api: &Api, client: RequestGuard| {
        api.register.execute(&input, pass.begin(), move || client.is_connected())
    };
    let registered = with_crypto(api, &request, work).await?;
    Ok(Created(registered.0.into()))
}

/// Delete own account
///
/// Requires the account's password. Permanently deletes the account with its sessions, tokens and
/// emails. Returns 401 for a wrong password.
#[api_v2_operation(operation_id = "delete_account", tags(accounts))]
pub(crate) async fn leave(
    api: Data<Api>,
    request: HttpRequest,
    bearer: Bearer,
    body: Body<LeaveRequest>,
) -> Result<NoContent, ApiError> {
    let client = ClientAddress::from_request(&request, &api);
    let owner = bearer.authenticate(&api).await?;
    let (info, device) = (client_info(&request, &client), device_cookie(request.headers()));
    let input = Arc::new(OwnAccountDeletion { owner, password: body.0, client: info, device });
    let pass = limits::admit_guess(&api, &client, api.delete_own_account.guess(&input)).await?;
    let work = move |api: &Api, client: RequestGuard| {
        api.delete_own_account.execute(&input, pass.begin(), move || client.is_connected())
    };
    with_crypto(api, &request, work).await?;
    Ok(NoContent)
}
