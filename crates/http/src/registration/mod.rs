//! `POST /auth/register`.

mod dto;

use crate::api::{Api, Presence, with_crypto};
use crate::body::Body;
use crate::errors::ApiError;
use crate::limits::{self, Client};
use crate::reply::Created;
use actix_web::HttpRequest;
use actix_web::web::Data;
use dto::RegisterRequest;
use paperclip::actix::api_v2_operation;
use portcullis_usecases::registration::Registration;
use std::sync::Arc;

pub(crate) use dto::UserResponse;

/// Create an account
///
/// The email address is unique without regard to case, and is stored in lower case. The password
/// counts whole, whatever its length and characters.
#[api_v2_operation(operation_id = "register", tags(auth))]
pub(crate) async fn register(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<RegisterRequest>,
) -> Result<Created<UserResponse>, ApiError> {
    let client = Client::of(&request, &api);
    let input = Arc::new(Registration { client: client.address, ..body.0 });
    let asked = Arc::clone(&input);
    let pass = limits::admit(&api, &client, move |api| api.register.admit(&asked)).await?;
    let work = move |api: &Api, client: Presence| api.register.carry_out(&input, pass.begin(), move || client.lasts());
    let registered = with_crypto(api, &request, work).await?;
    Ok(Created(registered.0.into()))
}
