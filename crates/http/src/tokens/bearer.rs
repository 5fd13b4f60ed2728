//! Bearer token of a request (RFC 6750 §2.1): from the `Authorization` header, else from the access cookie, never
//! from the URL or the body.

use super::transport::{Transport, access_cookie};
use crate::api::Api;
use crate::errors::{ApiError, Challenge};
use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
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
            (None, _) => Self::from_cookie(request),
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
        let headers = request.headers();
        let api = request.app_data::<Data<Api>>();
        // A browser sends its cookies always: only a request that wants to be authenticated by them is.
        let by_cookie = api.is_some_and(|api| Transport::selects_cookies(headers, api));
        if !headers.contains_key(AUTHORIZATION) && !by_cookie {
            return ready(Ok(Self(None)));
        }
        ready(match Bearer::from_request(request, payload).into_inner() {
            Err(error) if error.challenge == Some(Challenge::Missing) && by_cookie => Ok(Self(None)),
            bearer => bearer.map(|bearer| Self(Some(bearer))),
        })
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
    /// Reads the token from its cookie, if the service has cookies.
    fn from_cookie(request: &HttpRequest) -> Result<Self, ApiError> {
        let api =
            request.app_data::<Data<Api>>().ok_or_else(|| ApiError::internal("no API in the application's data"))?;
        let token = access_cookie(request, api)?;
        token.map(Self).ok_or_else(|| refusal("A bearer token is required", Challenge::Missing))
    }

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
