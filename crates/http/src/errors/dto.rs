//! The JSON of errors.

use super::FieldError;
use paperclip::actix::Apiv2Schema;
use serde::Serialize;

/// The body of every error.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ErrorResponse {
    /// What went wrong.
    pub(super) error: ErrorBody,
    /// The request's identifier, as the header `X-Request-ID` has it.
    pub(super) request_id: String,
}

/// What went wrong.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ErrorBody {
    /// The stable code of the error.
    pub(super) code: &'static str,
    /// The error in words, for people.
    pub(super) message: String,
    /// More about the error; empty where there is no more.
    pub(super) details: ErrorDetails,
}

/// More about an error.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ErrorDetails {
    /// Every member of the request that is at fault; with a validation error only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) errors: Option<Vec<FieldError>>,
}

/// The body of every error for callers that prefer RFC 9457.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ProblemDocument {
    /// Always `about:blank`: the code says more.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// The status in words.
    pub(super) title: &'static str,
    /// The status.
    pub(super) status: u16,
    /// The error in words, for people.
    pub(super) detail: String,
    /// The stable code of the error.
    pub(super) code: &'static str,
    /// Every member of the request that is at fault; with a validation error only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) errors: Option<Vec<FieldError>>,
    /// The request's identifier, as the header `X-Request-ID` has it.
    pub(super) request_id: String,
}
