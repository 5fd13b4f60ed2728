//! `POST /auth/refresh`, and the bearer token on other routes.

mod bearer;
mod dto;

pub(crate) use bearer::Bearer;
pub(crate) use dto::TokenResponse;

use crate::api::{Api, with_store};
use crate::body::Body;
use crate::errors::ApiError;
use crate::reply::Reply;
use actix_web::web::Data;
use dto::RefreshRequest;
use paperclip::actix::api_v2_operation;

/// Exchange a refresh token
///
/// Gives a new pair for a refresh token, once: the token is spent. Of any number of simultaneous
/// calls with one token exactly one succeeds.
#[api_v2_operation(operation_id = "refresh", tags(auth))]
pub(crate) async fn refresh(api: Data<Api>, body: Body<RefreshRequest>) -> Result<Reply<TokenResponse>, ApiError> {
    let refreshed = with_store(api, move |api| api.refresh.run(&body.0)).await??;
    Ok(Reply::secret(refreshed.0.into()))
}
