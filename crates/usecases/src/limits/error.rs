//! What a caller is told whose budget is spent.

use crate::LOG;
use crate::failure::{DependencyError, from_dependency_errors};
use portcullis_domain::limits::{Budget, LimitKey, QuotaPolicy};
use portcullis_ports::{Exceeded, LimiterError};
use std::net::IpAddr;
use std::time::Duration;

/// A budget is spent. Says nothing of whether there is an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Too many attempts, try again later")]
pub struct RateLimited {
    /// Which budget.
    pub budget: Budget,
    /// How much it has.
    pub policy: QuotaPolicy,
    /// Whose it is.
    pub key: LimitKey,
    /// How long until a try may pass.
    pub retry_after: Duration,
}

impl From<Exceeded> for RateLimited {
    fn from(Exceeded { charge, retry_after }: Exceeded) -> Self {
        Self { budget: charge.budget, policy: charge.rule.policy(), key: charge.key, retry_after }
    }
}

impl RateLimited {
    /// Tells the log, once a call is refused for good.
    pub fn log(&self, client: Option<IpAddr>) {
        let (budget, client) = (self.budget.as_str(), client.map(tracing::field::display));
        let retry_after_s = self.retry_after.as_secs();
        tracing::warn!(target: LOG, client, budget, retry_after_s, "Call limited");
    }
}

/// Why nothing was admitted.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// A budget is spent.
    #[error(transparent)]
    Limited(#[from] RateLimited),
    /// The limiter failed: what cannot be counted is not done.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(LimitError: LimiterError);
