//! The error of a handler or an extractor. It knows neither the request's identifier nor what
//! the caller accepts: the envelope renders it.

use super::{Problem, status_of};
use crate::lanes::LaneError;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use paperclip::actix::{Apiv2Schema, api_v2_errors};
use portcullis_domain::ErrorCode;
use portcullis_usecases::DependencyError;
use portcullis_usecases::limits::RateLimited;
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// What is wrong with one member of a request. Never the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Apiv2Schema)]
pub(crate) struct FieldError {
    /// The member's name; `body` for all of it.
    pub(crate) field: &'static str,
    /// A stable word for the rule, by the names that pydantic gives them.
    pub(crate) code: &'static str,
    /// The rule in words.
    pub(crate) message: String,
}

/// What a bearer is told to do (RFC 6750 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Show a token.
    Missing,
    /// Show another: `error="invalid_token"`.
    InvalidToken,
}

/// An error on its way to the envelope.
#[api_v2_errors(code = 500, description = "Something unforeseen happened.")]
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) code: ErrorCode,
    pub(crate) message: Cow<'static, str>,
    pub(crate) fields: Vec<FieldError>,
    pub(crate) retry_after: Option<Duration>,
    /// The budget that is spent.
    pub(crate) limited: Option<Box<RateLimited>>,
    pub(crate) challenge: Option<Challenge>,
    /// For the log alone.
    pub(crate) cause: Option<String>,
    /// Whether nothing is wrong but that too many want the same.
    pub(crate) crowded: bool,
    /// Whether the connection is of no more use: its body was not read to the end.
    pub(crate) close: bool,
    /// Whether the body's `Content-Encoding` is what is wrong.
    pub(crate) encoded: bool,
    /// For a message that is not valid HTTP: the status to answer with, and nothing else.
    pub(crate) bare: Option<StatusCode>,
}

impl ApiError {
    /// An error with a code and a message, and nothing else.
    pub(crate) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self {
            code,
            message,
            fields: Vec::new(),
            retry_after: None,
            limited: None,
            challenge: None,
            cause: None,
            crowded: false,
            close: false,
            encoded: false,
            bare: None,
        }
    }

    /// A request that breaks rules.
    pub(crate) fn validation(fields: Vec<FieldError>) -> Self {
        Self { fields, ..Self::new(ErrorCode::Validation, "Request validation failed") }
    }

    /// A new password that a guesser would try soon.
    pub(super) fn common_password(field: &'static str, message: String) -> Self {
        Self::validation(vec![FieldError { field, code: "password_common", message }])
    }

    /// A message that is not valid HTTP.
    pub(crate) fn bare(status: StatusCode, message: &'static str) -> Self {
        Self { bare: Some(status), close: true, ..Self::new(ErrorCode::Validation, message) }
    }

    /// Anything unforeseen.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(ErrorCode::Internal, "An unexpected error occurred") }
    }

    fn unavailable(cause: impl Into<String>, retry_after: Duration) -> Self {
        Self {
            cause: Some(cause.into()),
            retry_after: Some(retry_after),
            ..Self::new(ErrorCode::Unavailable, "The service is temporarily unavailable")
        }
    }

    /// A call whose budget is spent.
    pub(super) fn limited(limited: RateLimited) -> Self {
        let (message, retry_after) = (limited.to_string(), Some(limited.retry_after));
        Self { limited: Some(Box::new(limited)), retry_after, ..Self::new(ErrorCode::RateLimited, message) }
    }

    /// The same error on a route that takes a bearer token.
    pub(crate) fn challenged(self) -> Self {
        let challenge = (status_of(self.code) == StatusCode::UNAUTHORIZED).then_some(Challenge::InvalidToken);
        Self { challenge, ..self }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.bare.unwrap_or_else(|| status_of(self.code))
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::new(self.status_code());
        response.extensions_mut().insert(Problem::from(self.clone()));
        response
    }
}

impl From<&DependencyError> for ApiError {
    fn from(failure: &DependencyError) -> Self {
        match failure.code() {
            ErrorCode::Unavailable => {
                let crowded = failure.is_overloaded();
                Self { crowded, ..Self::unavailable(failure.to_string(), failure.retry_after()) }
            }
            _ => Self::internal(failure.to_string()),
        }
    }
}

impl From<LaneError> for ApiError {
    fn from(error: LaneError) -> Self {
        match error {
            LaneError::Full { retry_after } => Self::unavailable("too many requests are waiting", retry_after),
            LaneError::Overdue => Self::unavailable("a dependency did not answer in time", Duration::from_secs(1)),
            LaneError::Panicked => Self::internal("a job panicked"),
        }
    }
}
