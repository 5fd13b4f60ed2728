//! `POST /auth/login`.

mod dto;

use crate::api::Api;
use crate::body::Body;
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::reply::Reply;
use crate::routes::{Table, responds};
use crate::tokens::{Issued, Transport};
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::Data;
use dto::LoginRequest;
use paperclip::actix::api_v2_operation;
use portcullis_domain::ErrorCode;
use portcullis_usecases::login::{LoggedIn, PasswordLogin};
use std::convert::identity;
use std::sync::Arc;

/// Registers the routes of this feature.
pub(crate) fn routes(table: &mut Table) {
    let operation = responds("The tokens of a new session.").fails(&[
        ErrorCode::InvalidCredentials,
        ErrorCode::EmailUnverified,
        ErrorCode::MfaRequired,
        ErrorCode::MfaEnrolmentRequired,
        ErrorCode::RateLimited,
    ]);
    table.add(Method::POST, "/auth/login", login, operation.sends_email().offers_cookies().reads::<LoginRequest>());
}

/// Log in
///
/// Starts a session and returns an access token and a refresh token. Also accepts the OAuth2 password
/// form (`username`, `password`). An unknown email address, a wrong password and an inactive account
/// get the same 401, in the same time. Returns 403 if the email address must be verified first, and 429
/// after too many attempts. Attempts count by account and by source; a device that has logged in before
/// is known by a cookie and counts separately. If the account has a second factor, send its `code`, or
/// complete the login at `/auth/mfa/verify` with the token of the 403 response.
#[api_v2_operation(operation_id = "login", tags(auth))]
async fn login(
    api: Data<Api>,
    request: HttpRequest,
    transport: Transport,
    body: Body<LoginRequest>,
) -> Result<Reply<Issued>, ApiError> {
    let (input, forget) = body.0;
    let (logged_in, call) = log_in(Call::new(&api, &request).forgetting(forget), input).await?;
    Ok(Issued::from(logged_in).reply(&call, transport, identity))
}

/// Counts and executes a login. Returns the call that succeeded, which may be that of an unknown device.
pub(crate) async fn log_in(call: Call<'_>, input: PasswordLogin) -> Result<(LoggedIn, Call<'_>), ApiError> {
    let logins = &call.api.logins;
    let outcome = attempt(call, input).await;
    logins.on_login(outcome.as_ref().map(drop).map_err(|error| error.code));
    outcome
}

async fn attempt(mut call: Call<'_>, input: PasswordLogin) -> Result<(LoggedIn, Call<'_>), ApiError> {
    let input = Arc::new(input);
    loop {
        if let Some(logged_in) = call.counted(|api| &api.log_in, Arc::clone(&input), CallLane::Crypto).await? {
            return Ok((logged_in, call));
        }
        // The cookie is from before a password change.
        call = call.as_unknown_device();
    }
}
