//! `POST /auth/logout` and `GET /auth/me`.

mod dto;

use crate::api::{Api, with_store};
use crate::body::Body;
use crate::errors::ApiError;
use crate::reply::Reply;
use crate::tokens::Bearer;
use actix_web::web::Data;
use dto::{LogoutRequest, MeResponse, MessageResponse};
use paperclip::actix::api_v2_operation;

/// Sign out
///
/// Revokes a refresh token. A genuine token that was already revoked, is unknown or has expired
/// is answered alike.
#[api_v2_operation(operation_id = "logout", tags(auth))]
pub(crate) async fn logout(api: Data<Api>, body: Body<LogoutRequest>) -> Result<Reply<MessageResponse>, ApiError> {
    with_store(api, move |api| api.log_out.run(&body.0)).await??;
    Ok(Reply::ok(MessageResponse { message: "Logged out successfully" }))
}

/// Read the account that is signed in
///
/// Asks the store: a token whose account was switched off is refused before it expires.
#[api_v2_operation(operation_id = "me", tags(auth))]
pub(crate) async fn me(api: Data<Api>, bearer: Bearer) -> Result<Reply<MeResponse>, ApiError> {
    let account = bearer.account(&api).await?;
    Ok(Reply::ok(account.into()))
}
