//! Errors of use cases that take a session.

use crate::failure::{Reason, UseCaseError};
use portcullis_domain::ErrorCode;

/// No session has that id, or it belongs to another user. The response is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("No such session")]
pub struct NoSuchSession;

/// Error of a use case that takes a session.
pub type SessionError = UseCaseError<NoSuchSession>;

impl Reason for NoSuchSession {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}
