//! Refuses sensitive calls of sessions whose user was authenticated too long ago or too weakly.

use crate::failure::Reason;
use crate::tokens::Authenticated;
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::login::{Owner, StepUpPolicy};
use portcullis_ports::Clock;
use std::sync::Arc;

/// The user must authenticate again first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Recent authentication required")]
pub struct StepUpRequired {
    /// Maximum age of the authentication.
    pub max_age: TimeDelta,
    /// `true` if the authentication must use the second factor.
    pub second_factor: bool,
}

impl Reason for StepUpRequired {
    fn code(&self) -> ErrorCode {
        ErrorCode::StepUpRequired
    }
}

/// Checks whether a session's user was authenticated recently and strongly enough.
pub struct StepUp {
    /// Condition.
    pub policy: StepUpPolicy,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl StepUp {
    pub(crate) fn require(&self, caller: &Authenticated, owner: &Owner) -> Result<(), StepUpRequired> {
        let second_factor = owner.credentials.has_second_factor();
        if self.policy.is_recent(caller.authentication.as_ref(), second_factor, self.clock.now()) {
            return Ok(());
        }
        Err(StepUpRequired { max_age: self.policy.max_age, second_factor })
    }
}
