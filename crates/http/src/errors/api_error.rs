//! Error of a handler or extractor. The envelope middleware renders it, because only that middleware
//! has the request id and the client's `Accept` header.

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
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// Validation error of one member of a request. Never contains the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Apiv2Schema)]
pub(crate) struct FieldError {
    /// Name of the member; `body` for the body as a whole.
    pub(crate) field: &'static str,
    /// Stable identifier of the violated rule, as pydantic names it.
    pub(crate) code: &'static str,
    /// Human-readable description of the rule.
    pub(crate) message: String,
}

impl FieldError {
    /// Creates the error of a missing member.
    pub(crate) fn missing(field: &'static str) -> Self {
        Self { field, code: "missing", message: "Field required".to_owned() }
    }
}

/// `WWW-Authenticate` challenge (RFC 6750 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// No token was presented.
    Missing,
    /// The token was rejected: `error="invalid_token"`.
    InvalidToken,
}

/// An error to be rendered by the envelope.
#[api_v2_errors(code = 500, description = "Unexpected error.")]
#[derive(Clone)]
pub(crate) struct ApiError {
    pub(crate) code: ErrorCode,
    pub(crate) message: Cow<'static, str>,
    pub(crate) fields: Vec<FieldError>,
    /// Object whose members are added to the details, such as `reason`. May contain a token.
    pub(crate) details: Option<Box<Value>>,
    pub(crate) retry_after: Option<Duration>,
    /// The exceeded budget.
    pub(crate) limited: Option<Box<RateLimited>>,
    pub(crate) challenge: Option<Challenge>,
    /// Cause, for the log only.
    pub(crate) cause: Option<String>,
    /// True if the password hasher was busy. A retry may succeed.
    pub(crate) crowded: bool,
    /// True if the connection must close, because the body was not read to its end.
    pub(crate) close: bool,
    /// True if the body's `Content-Encoding` is the problem.
    pub(crate) encoded: bool,
    /// Status of a response without a body, for a message that is not valid HTTP.
    pub(crate) bare: Option<StatusCode>,
}

impl ApiError {
    /// Creates an error from a code and a message.
    pub(crate) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self {
            code,
            message,
            fields: Vec::new(),
            details: None,
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

    /// Adds an object with details for the client.
    pub(crate) fn with_details(self, details: Value) -> Self {
        Self { details: Some(Box::new(details)), ..self }
    }

    /// Creates a validation error.
    pub(crate) fn validation(fields: Vec<FieldError>) -> Self {
        Self { fields, ..Self::new(ErrorCode::Validation, "Request validation failed") }
    }

    /// Creates the error for a message that is not valid HTTP.
    pub(crate) fn bare(status: StatusCode, message: &'static str) -> Self {
        Self { bare: Some(status), close: true, ..Self::new(ErrorCode::Validation, message) }
    }

    /// Creates the error for an unexpected failure. Clients do not see the cause.
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

    /// Creates the error for an exceeded budget.
    pub(super) fn limited(limited: RateLimited) -> Self {
        let (message, retry_after) = (limited.to_string(), Some(limited.retry_after));
        Self { limited: Some(Box::new(limited)), retry_after, ..Self::new(ErrorCode::RateLimited, message) }
    }

    /// Adds a challenge if the status is 401, for routes with a bearer token.
    pub(crate) fn challenged(self) -> Self {
        let challenge = (status_of(self.code) == StatusCode::UNAUTHORIZED).then_some(Challenge::InvalidToken);
        Self { challenge, ..self }
    }
}

/// Leaves out the details.
impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, message, cause, .. } = self;
        f.debug_struct("ApiError")
            .field("code", code)
            .field("message", message)
            .field("cause", cause)
            .finish_non_exhaustive()
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

impl From<DependencyError> for ApiError {
    fn from(failure: DependencyError) -> Self {
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
