//! Bearer token of a request (RFC 6750 §2.1): only from the `Authorization` header, never from the URL
//! or the body.

use crate::api::Api;
use crate::errors::{ApiError, Challenge};
use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest};
use paperclip::actix::{Apiv2Security, OperationModifier};
use paperclip::v2::models::DefaultOperationRaw;
use paperclip::v2::schema::Apiv2Schema;
use portcullis_domain::ErrorCode;
use portcullis_usecases::tokens::{Authenticated, TokenError};
use std::collections::BTreeMap;
use std::future::{Ready, ready};

/// A presented bearer token. The use case validates it.
#[derive(Apiv2Security)]
#[openapi(apiKey, alias = "bearerAuth", in = "header", name = "Authorization", description = "Access token.")]
pub(crate) struct Bearer(pub(crate) String);

impl FromRequest for Bearer {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut headers = request.headers().get_all(AUTHORIZATION);
        ready(match (headers.next(), headers.next()) {
            (None, _) => Err(refusal("A bearer token is required", Challenge::Missing)),
            // Another scheme counts as no token (RFC 6750 §3.1).
            (Some(value), None) => match value.to_str().ok().and_then(credentials) {
                Some(token) => Ok(Self(token)),
                None => Err(refusal("A bearer token is required", Challenge::Missing)),
            },
            (Some(_), Some(_)) => Err(refusal("Invalid token", Challenge::InvalidToken)),
        })
    }
}

/// A bearer token that may be missing. A malformed one is still rejected.
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

impl OperationModifier for OptionalBearer {
    fn update_security(operation: &mut DefaultOperationRaw) {
        operation.security.push(BTreeMap::new());
        Bearer::update_security(operation);
    }
}

impl Bearer {
    /// Validates the token and returns its account and session.
    pub(crate) async fn authenticate(self, api: &Api) -> Result<Authenticated, ApiError> {
        let deadline = api.lanes.store.deadline();
        let challenged = |error: TokenError| ApiError::from(error).challenged();
        let inquiry = api.authenticate.read(&self.0).map_err(challenged)?;
        let looked_up = api.lanes.accounts.run_by(deadline, inquiry).await?;
        looked_up.into_result().map_err(challenged)
    }
}

/// Returns the credentials after the scheme, which is case-insensitive (RFC 9110 §11.1), or `None` for
/// another scheme.
fn credentials(value: &str) -> Option<String> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' ').to_owned())
}

fn refusal(message: &'static str, challenge: Challenge) -> ApiError {
    ApiError { challenge: Some(challenge), ..ApiError::new(ErrorCode::TokenInvalid, message) }
}
