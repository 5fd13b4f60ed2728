//! Selects the body or cookies for the tokens of a response, and refuses cross-site requests that cookies
//! authenticate or that set them (CSRF).

use super::cookies::{TokenCookie, TokenCookies};
use crate::api::Api;
use crate::errors::{ApiError, FieldError};
use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderValue, ORIGIN};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use paperclip::actix::OperationModifier;
use paperclip::v2::schema::Apiv2Schema;
use portcullis_domain::ErrorCode;
use serde_json::json;
use std::future::{Ready, ready};

const NAME: &str = "portcullis-tokens";
const SITE: &str = "sec-fetch-site";

/// Where a response carries its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// In the body.
    Body,
    /// In cookies: the request has `Portcullis-Tokens: cookie`, which no form of another site can send, and comes
    /// from a page of this service or of a listed origin.
    Cookies,
}

impl Transport {
    /// Returns whether the request has the header that selects cookies. Its value is checked elsewhere.
    pub(crate) fn selects_cookies(headers: &HeaderMap, api: &Api) -> bool {
        api.config.cookies.is_some() && headers.contains_key(NAME)
    }

    /// Reads the header. Ignores it unless the service has cookies.
    fn read(headers: &HeaderMap, api: &Api) -> Result<Self, ApiError> {
        if !Self::selects_cookies(headers, api) {
            return Ok(Self::Body);
        }
        let mut values = headers.get_all(NAME).map(HeaderValue::as_bytes);
        match (values.next(), values.next()) {
            (Some(b"cookie"), None) => Ok(Self::Cookies),
            _ => Err(ApiError::validation(vec![FieldError {
                field: "Portcullis-Tokens",
                code: "value_error",
                message: "Input should be cookie, once".to_owned(),
            }])),
        }
    }

    /// Reads the transport of a call that issues or deletes tokens.
    pub(crate) fn of(request: &HttpRequest, api: &Api) -> Result<Self, ApiError> {
        let transport = Self::read(request.headers(), api)?;
        if transport == Self::Cookies && !has_allowed_origin(request, api) {
            return Err(cross_site());
        }
        Ok(transport)
    }

    /// Reads the transport of a call whose token may be in the body. With a token there, no cookie is read or set.
    pub(crate) fn unless(in_body: bool, request: &HttpRequest, api: &Api) -> Result<Self, ApiError> {
        if in_body { Self::read(request.headers(), api).map(|_| Self::Body) } else { Self::of(request, api) }
    }

    /// Returns the service's cookies if the response carries its tokens there.
    pub(crate) fn cookies(self, api: &Api) -> Option<&TokenCookies> {
        api.config.cookies.as_ref().filter(|_| self == Self::Cookies)
    }
}

impl FromRequest for Transport {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match request.app_data::<Data<Api>>() {
            Some(api) => Self::of(request, api),
            None => Err(ApiError::internal("no API in the application's data")),
        })
    }
}

impl Apiv2Schema for Transport {}

impl OperationModifier for Transport {}

/// Returns the access token of the request's cookie, or `None` without one. A request that may change something
/// must also have the header.
pub(super) fn access_cookie(request: &HttpRequest, api: &Api) -> Result<Option<String>, ApiError> {
    let Some(cookies) = &api.config.cookies else { return Ok(None) };
    let transport = Transport::read(request.headers(), api)?;
    let Some(token) = cookies.read(request.headers(), TokenCookie::Access) else { return Ok(None) };
    let is_marked = is_read(request) || transport == Transport::Cookies;
    if is_marked && has_allowed_origin(request, api) { Ok(Some(token)) } else { Err(cross_site()) }
}

/// Returns whether a page of this service or of a listed origin sent the request. Browsers send at least one of
/// the two fields with every request that changes something, so it must have one.
fn has_allowed_origin(request: &HttpRequest, api: &Api) -> bool {
    let (headers, config) = (request.headers(), &api.config);
    let only = |name: &str| {
        let mut values = headers.get_all(name).map(|value| value.to_str().unwrap_or_default());
        (values.next(), values.next().is_none())
    };
    match (only(ORIGIN.as_str()), only(SITE)) {
        ((Some(origin), single), _) => {
            single && (origin == config.public_origin || config.cors_origins.iter().any(|listed| listed == origin))
        }
        // `none`: the user opened the address.
        ((None, _), (Some("same-origin" | "none"), single)) => single,
        ((None, _), (Some("same-site") | None, single)) => single && is_read(request),
        ((None, _), (Some(_), _)) => false,
    }
}

fn is_read(request: &HttpRequest) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

fn cross_site() -> ApiError {
    let error = ApiError::new(ErrorCode::Forbidden, "The request was sent from another site");
    error.with_details(json!({ "reason": "cross_site" }))
}
