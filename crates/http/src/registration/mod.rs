//! `POST /auth/register`.

mod dto;

use crate::api::{Api, with_crypto};
use crate::body::Body;
use crate::errors::ApiError;
use crate::reply::Created;
use actix_web::web::Data;
use dto::RegisterRequest;
use paperclip::actix::api_v2_operation;

pub(crate) use dto::UserResponse;

/// Create an account
///
/// The email address is unique without regard to case, and is stored in lower case. The password
/// counts whole, whatever its length and characters.
#[api_v2_operation(operation_id = "register", tags(auth))]
pub(crate) async fn register(api: Data<Api>, body: Body<RegisterRequest>) -> Result<Created<UserResponse>, ApiError> {
    let registered = with_crypto(api, move |api, client| api.register.run(&body.0, move || client.lasts())).await??;
    Ok(Created(registered.0.into()))
}
