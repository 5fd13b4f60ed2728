//! JSON responses, documented by the type of their body.

use crate::errors::{ApiError, JSON, SkipEnvelope};
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Responder};
use paperclip::actix::{AcceptedJson, Apiv2Schema, CreatedJson, OperationModifier};
use paperclip::v2::models::{DefaultOperationRaw, DefaultSchemaRaw};
use paperclip::v2::schema::Apiv2Schema;
use serde::Serialize;

/// Result of an operation.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct MessageResponse {
    /// Human-readable message.
    pub(crate) message: &'static str,
}

/// A JSON response, 200 by default.
pub(crate) struct Reply<T> {
    body: T,
    status: StatusCode,
    no_store: bool,
    cookies: Vec<HeaderValue>,
}

impl<T> Reply<T> {
    pub(crate) fn ok(body: T) -> Self {
        Self { body, status: StatusCode::OK, no_store: false, cookies: Vec::new() }
    }

    /// Creates a response with a token in it, which must not be cached (RFC 6749 §5.1).
    pub(crate) fn secret(body: T) -> Self {
        Self { no_store: true, ..Self::ok(body) }
    }

    /// Sets cookies.
    pub(crate) fn with_cookies(self, cookies: impl IntoIterator<Item = HeaderValue>) -> Self {
        Self { cookies: cookies.into_iter().collect(), ..self }
    }

    /// Sets another status.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl<T: Serialize> Responder for Reply<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = match serde_json::to_string(&self.body) {
            Ok(text) => HttpResponse::build(self.status).content_type(JSON).body(text),
            Err(error) => return HttpResponse::from_error(ApiError::internal(error.to_string())),
        };
        response.extensions_mut().insert(SkipEnvelope);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        set_cookies(&mut response, self.cookies);
        if self.no_store {
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        response
    }
}

fn set_cookies(response: &mut HttpResponse, cookies: Vec<HeaderValue>) {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// A JSON response with a created resource: 201.
pub(crate) struct Created<T>(Reply<T>);

impl<T> Created<T> {
    pub(crate) fn new(body: T) -> Self {
        Self(Reply::ok(body).with_status(StatusCode::CREATED))
    }

    /// Creates a response with a secret in it, which must not be cached.
    pub(crate) fn secret(body: T) -> Self {
        Self(Reply::secret(body).with_status(StatusCode::CREATED))
    }
}

impl<T: Serialize> Responder for Created<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        self.0.respond_to(request)
    }
}

/// A JSON response to a request that is processed later: 202.
pub(crate) struct Accepted<T>(pub(crate) T);

impl<T: Serialize> Responder for Accepted<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        Reply::ok(self.0).with_status(StatusCode::ACCEPTED).respond_to(request)
    }
}

/// A response without a body: 204.
#[derive(Default)]
pub(crate) struct NoContent {
    /// Cookies to set.
    pub(crate) cookies: Vec<HeaderValue>,
}

impl Responder for NoContent {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::NoContent().finish();
        response.extensions_mut().insert(SkipEnvelope);
        set_cookies(&mut response, self.cookies);
        response
    }
}

impl Apiv2Schema for NoContent {}

impl OperationModifier for NoContent {
    fn update_response(operation: &mut DefaultOperationRaw) {
        paperclip::actix::NoContent::update_response(operation);
    }
}

/// Documents a wrapper like one of paperclip's own.
macro_rules! documented_as {
    ($wrapper:ident: $model:path) => {
        impl<T: Serialize + Apiv2Schema> Apiv2Schema for $wrapper<T> {
            fn name() -> Option<String> {
                T::name()
            }

            fn raw_schema() -> DefaultSchemaRaw {
                T::raw_schema()
            }
        }

        impl<T: Serialize + Apiv2Schema> OperationModifier for $wrapper<T> {
            fn update_response(operation: &mut DefaultOperationRaw) {
                <$model as OperationModifier>::update_response(operation);
            }
        }
    };
}

documented_as!(Reply: actix_web::web::Json<T>);
documented_as!(Created: CreatedJson<T>);
documented_as!(Accepted: AcceptedJson<T>);
