//! Responses to the requests of the model.

use crate::rows::{Seconds, Token};
use portcullis_usecases::tokens::TokenError;

/// Response of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// A token pair. Its refresh token says when it was issued.
    Pair {
        token: Token,
        issued_at: Seconds,
        verdict: &'static str,
    },
    Raced,
    Refused,
    Ended,
    /// 503, or 500.
    Failed,
}

pub(crate) fn refused(error: &TokenError) -> Answer {
    match error {
        TokenError::Raced => Answer::Raced,
        TokenError::Failed(_) => Answer::Failed,
        TokenError::Invalid | TokenError::Expired | TokenError::Revoked | TokenError::EmailUnverified => {
            Answer::Refused
        }
    }
}
