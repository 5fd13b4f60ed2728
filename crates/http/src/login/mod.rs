//! `POST /auth/login`.

mod dto;

use crate::api::{Api, with_crypto};
use crate::body::Body;
use crate::errors::ApiError;
use crate::reply::Reply;
use crate::tokens::TokenResponse;
use actix_web::HttpRequest;
use actix_web::web::Data;
use dto::LoginRequest;
use paperclip::actix::api_v2_operation;
use portcullis_usecases::login::PasswordLogin;

/// Sign in
///
/// Exchanges an email address and a password for an access token and a refresh token. An unknown
/// address, a wrong password and an inactive account get one answer, in one time. Also takes the
/// OAuth2 password form (`username`, `password`).
#[api_v2_operation(operation_id = "login", tags(auth))]
pub(crate) async fn login(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<LoginRequest>,
) -> Result<Reply<TokenResponse>, ApiError> {
    let client = request.peer_addr().map(|peer| peer.ip());
    let input = PasswordLogin { client, ..body.0 };
    let logged_in = with_crypto(api, move |api, client| api.log_in.run(&input, move || client.lasts())).await??;
    Ok(Reply::secret(logged_in.0.into()))
}
