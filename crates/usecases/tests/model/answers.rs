//! What a request of the model is answered.

use crate::rows::{Seconds, Token};
use portcullis_usecases::tokens::TokenError;

/// What the service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// A pair, whose refresh token says when it was issued.
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
