//! DTOs of errors.

use super::FieldError;
use paperclip::actix::Apiv2Schema;
use serde::Serialize;
use serde_json::Value;

/// Error response.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ErrorResponse {
    /// The error.
    pub(super) error: ErrorBody,
    /// Request id, as in the `X-Request-ID` header.
    pub(super) request_id: String,
}

/// An error.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ErrorBody {
    /// Stable error code.
    pub(super) code: &'static str,
    /// Human-readable message.
    pub(super) message: String,
    /// Further details; an empty object if there are none.
    pub(super) details: ErrorDetails,
}

/// Further details of an error.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ErrorDetails {
    /// Invalid members of the request; only in a validation error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) errors: Option<Vec<FieldError>>,
    /// Members that depend on the error, such as `reason`.
    #[serde(flatten)]
    pub(super) more: Option<Value>,
}

/// Problem document (RFC 9457), for clients that prefer it.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ProblemDocument {
    /// Always `about:blank`; `code` identifies the error.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// Reason phrase of the status.
    pub(super) title: &'static str,
    /// HTTP status.
    pub(super) status: u16,
    /// Human-readable message.
    pub(super) detail: String,
    /// Stable error code.
    pub(super) code: &'static str,
    /// Invalid members of the request; only in a validation error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) errors: Option<Vec<FieldError>>,
    /// The other members of `details` in the default format.
    #[serde(flatten)]
    pub(super) more: Option<Value>,
    /// Request id, as in the `X-Request-ID` header.
    pub(super) request_id: String,
}
