//! The bearer token of a request (RFC 6750 §2.1): from the `Authorization` header, never from
//! the address or the body.

use crate::api::Api;
use crate::errors::{ApiError, Challenge};
use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest};
use paperclip::actix::{Apiv2Security, OperationModifier};
use paperclip::v2::schema::Apiv2Schema;
use portcullis_domain::ErrorCode;
use portcullis_usecases::tokens::{Authenticated, TokenError};
use std::future::{Ready, ready};

/// The token that was shown; whether it is worth anything is for the use case to say.
#[derive(Apiv2Security)]
#[openapi(apiKey, alias = "bearerAuth", in = "header", name = "Authorization", description = "An access token.")]
pub(crate) struct Bearer(pub(crate) String);

impl FromRequest for Bearer {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut headers = request.headers().get_all(AUTHORIZATION);
        ready(match (headers.next(), headers.next()) {
            (None, _) => Err(refusal("A bearer token is required", Challenge::Missing)),
            // Of another scheme, no token was shown (RFC 6750 §3.1).
            (Some(value), None) => match value.to_str().ok().and_then(credentials) {
                Some(token) => Ok(Self(token)),
                None => Err(refusal("A bearer token is required", Challenge::Missing)),
            },
            (Some(_), Some(_)) => Err(refusal("Invalid token", Challenge::InvalidToken)),
        })
    }
}

/// The same where nobody has to show one; a damaged one is refused all the same.
pub(crate) struct OptionalBearer(pub(crate) Option<Bearer>);

impl FromRequest for OptionalBearer {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if !request.headers().contains_key(AUTHORIZATION) {
            return ready(Ok(Self(None)));
        }
        ready(Bearer::from_request(request, payload).into_inner().map(|bearer| Self(Some(bearer))))
    }
}

impl Apiv2Schema for OptionalBearer {}

impl OperationModifier for OptionalBearer {}

impl Bearer {
    /// Whom the token speaks for.
    pub(crate) async fn authenticate(self, api: &Api) -> Result<Authenticated, ApiError> {
        let deadline = api.lanes.store.deadline();
        let challenged = |error: TokenError| ApiError::from(error).challenged();
        let inquiry = api.authenticate.read(&self.0).map_err(challenged)?;
        let looked_up = api.lanes.accounts.run_by(deadline, inquiry).await?;
        looked_up.into_result().map_err(challenged)
    }
}

/// What follows the scheme, whose case does not count (RFC 9110 §11.1).
fn credentials(value: &str) -> Option<String> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' ').to_owned())
}

fn refusal(message: &'static str, challenge: Challenge) -> ApiError {
    ApiError { challenge: Some(challenge), ..ApiError::new(ErrorCode::TokenInvalid, message) }
}
