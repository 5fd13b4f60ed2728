//! Errors for a spent budget.

use crate::LOG;
use portcullis_domain::limits::{Budget, LimitKey, QuotaPolicy};
use portcullis_ports::{Exceeded, LimiterError};
use std::net::IpAddr;
use std::time::Duration;

/// The budget is spent. Does not reveal whether an account exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Too many attempts, try again later")]
pub struct RateLimited {
    /// The spent budget.
    pub budget: Budget,
    /// Its quota policy.
    pub policy: QuotaPolicy,
    /// Key of the budget's subject, such as an account or a source.
    pub key: LimitKey,
    /// Delay until an attempt may pass.
    pub retry_after: Duration,
}

impl From<Exceeded> for RateLimited {
    fn from(Exceeded { charge, retry_after }: Exceeded) -> Self {
        Self { budget: charge.budget, policy: charge.rule.policy(), key: charge.key, retry_after }
    }
}

impl RateLimited {
    /// Logs the refusal. Call it once the refusal is final.
    pub fn log(&self, client: Option<IpAddr>) {
        let (budget, client) = (self.budget.as_str(), client.map(tracing::field::display));
        let retry_after_s = self.retry_after.as_secs();
        tracing::warn!(target: LOG, client, budget, retry_after_s, "Call limited");
    }
}

/// Reason why a call was not admitted.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// A budget is spent.
    #[error(transparent)]
    Limited(#[from] RateLimited),
    /// The limiter failed. Calls that cannot be counted are refused.
    #[error(transparent)]
    Failed(#[from] LimiterError),
}
