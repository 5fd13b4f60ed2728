//! `POST /auth/password/change`, `/forgot` and `/reset`, and the page for a new password.

mod dto;
mod page;
mod views;

pub(crate) use page::{address, open, submit};
pub(crate) use views::{email_form, password_form};

use crate::api::{Api, RequestGuard, with_crypto, with_store};
use crate::body::Body;
use crate::client_info::client_info;
use crate::errors::ApiError;
use crate::language::language;
use crate::limits::{self, ClientAddress, device_cookie};
use crate::reply::{Accepted, MessageResponse, Reply};
use crate::tokens::Bearer;
use actix_web::HttpRequest;
use actix_web::http::header::HeaderValue;
use actix_web::web::Data;
use dto::{ChangePasswordRequest, ForgotPasswordRequest, ResetPasswordRequest};
use paperclip::actix::api_v2_operation;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::{EmailAddress, NewPassword};
use portcullis_domain::verification::OneTimeToken;
use portcullis_usecases::recovery::{PasswordChange, PasswordReset, ResetRequest};
use std::sync::Arc;

/// Change the password
///
/// Asks for the password so far, and ends every other session of the account. Wrong passwords are
/// counted with those of logins. Other devices that were known to the account are known no more; this
/// one gets a fresh cookie.
#[api_v2_operation(operation_id = "change_password", tags(accounts))]
pub(crate) async fn change(
    api: Data<Api>,
    request: HttpRequest,
    bearer: Bearer,
    body: Body<ChangePasswordRequest>,
) -> Result<Reply<MessageResponse>, ApiError> {
    let client = ClientAddress::from_request(&request, &api);
    let owner = bearer.authenticate(&api).await?;
    let (current, new) = body.0;
    let (info, device, language) =
        (client_info(&request, &client), device_cookie(request.headers()), language(&request));
    let input = Arc::new(PasswordChange { owner, current, new, client: info, device, language });
    let pass = limits::admit_guess(&api, &client, api.recovery.change.guess(&input)).await?;
    let work = move |api: &Api, client: RequestGuard| {
        api.recovery.change.execute(&input, pass.begin(), move || client.is_connected())
    };
    let changed = with_crypto(api.clone(), &request, work).await?;
    let cookie = limits::set_device_cookie(&request, &api, &client, &changed.cookie);
    Ok(Reply::ok(MessageResponse { message: "Password changed" }).with_cookie(cookie))
}

/// Ask for a mail to set a new password
///
/// The answer is the same for every address, and comes at once: who has an account is looked up
/// when the mail is made.
#[api_v2_operation(operation_id = "forgot_password", tags(accounts))]
pub(crate) async fn forgot(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<ForgotPasswordRequest>,
) -> Result<Accepted<MessageResponse>, ApiError> {
    ask(&api, &request, body.0).await?;
    let message = "If there is an account with this address, a mail is on its way";
    Ok(Accepted(MessageResponse { message }))
}

/// Set a new password
///
/// With the token of a mail, which is good for half an hour and for one use. Ends every session of
/// the account, and begins none. The device is known to the account from now on, by a cookie, and the
/// wait after wrong passwords is over.
#[api_v2_operation(operation_id = "reset_password", tags(accounts))]
pub(crate) async fn reset(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<ResetPasswordRequest>,
) -> Result<Reply<MessageResponse>, ApiError> {
    let (token, new) = body.0;
    let cookie = set(&api, &request, &token, new).await?;
    Ok(Reply::ok(MessageResponse { message: "Password changed" }).with_cookie(cookie))
}

/// Orders a mail.
async fn ask(api: &Data<Api>, request: &HttpRequest, email: EmailAddress) -> Result<(), ApiError> {
    let client = ClientAddress::from_request(request, api);
    let input = ResetRequest { email, client: client_info(request, &client), language: language(request) };
    let input = Arc::new(input);
    let asked = Arc::clone(&input);
    let pass = limits::admit(api, &client, move |api| api.recovery.request.admit(&asked)).await?;
    with_store(api.clone(), move |api| api.recovery.request.execute(&input, pass.begin())).await??;
    Ok(())
}

/// Sets a password by a token, and returns the cookie for the device. A bad token costs no place among
/// those who wait for a hash.
async fn set(
    api: &Data<Api>,
    request: &HttpRequest,
    token: &str,
    new: NewPassword,
) -> Result<Option<HeaderValue>, ApiError> {
    let client = ClientAddress::from_request(request, api);
    let token = one_time_token(token)?;
    let (info, device, language) = (client_info(request, &client), device_cookie(request.headers()), language(request));
    let input = Arc::new(PasswordReset { token, new, client: info, device, language });
    let shown = Arc::clone(&input);
    with_store(api.clone(), move |api| api.recovery.reset.precheck(&shown)).await??;
    let work = move |api: &Api, client: RequestGuard| api.recovery.reset.execute(&input, move || client.is_connected());
    let recovered = with_crypto(api.clone(), request, work).await?;
    Ok(limits::set_device_cookie(request, api, &client, &recovered.cookie))
}

/// What is spelled like no token is none.
pub(crate) fn one_time_token(text: &str) -> Result<OneTimeToken, ApiError> {
    OneTimeToken::parse(text).ok_or_else(|| ApiError::new(ErrorCode::TokenInvalid, "Invalid token"))
}
