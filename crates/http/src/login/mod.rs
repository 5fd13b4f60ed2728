//! `POST /auth/login`.

mod dto;

use crate::api::{Api, RequestGuard, with_crypto};
use crate::body::Body;
use crate::client_info::client_info;
use crate::errors::ApiError;
use crate::language::language;
use crate::limits::{self, ClientAddress, device_cookie};
use crate::reply::Reply;
use crate::tokens::TokenResponse;
use actix_web::HttpRequest;
use actix_web::web::Data;
use dto::LoginRequest;
use paperclip::actix::api_v2_operation;
use portcullis_usecases::limits::Guess;
use portcullis_usecases::login::{LogIn, PasswordLogin};
use std::sync::Arc;

/// Log in
///
/// Starts a session and returns an access token and a refresh token. Also accepts the OAuth2 password
/// form (`username`, `password`). An unknown email address, a wrong password and an inactive account
/// get the same 401, in the same time. Returns 403 if the email address must be verified first, and 429
/// after too many attempts. Attempts count by account and by source; a device that has logged in before
/// is known by a cookie and counts separately.
#[api_v2_operation(operation_id = "login", tags(auth))]
pub(crate) async fn login(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<LoginRequest>,
) -> Result<Reply<TokenResponse>, ApiError> {
    let client = ClientAddress::from_request(&request, &api);
    let (info, device) = (client_info(&request, &client), device_cookie(request.headers()));
    let input = PasswordLogin { client: info, device, language: language(&request), ..body.0 };
    let input = Arc::new(input);
    let (mut device, mut is_call) = (api.log_in.device(&input), true);
    loop {
        let guess = Guess { is_call, ..LogIn::guess(&input, device.as_ref()) };
        let pass = limits::admit_guess(&api, &client, guess).await?;
        let (tried, known) = (Arc::clone(&input), device.take());
        let work = move |api: &Api, client: RequestGuard| {
            api.log_in.execute(&tried, known, pass.begin(), move || client.is_connected())
        };
        // None: the cookie is from before a password change. Count the device as unknown.
        if let Some(logged_in) = with_crypto(api.clone(), &request, work).await? {
            let cookie = limits::set_device_cookie(&request, &api, &client, &logged_in.cookie);
            return Ok(Reply::secret(logged_in.pair.into()).with_cookie(cookie));
        }
        is_call = false;
    }
}
