//! Metrics of rate limits: charges passed, refused and refunded, by budget.

use crate::{Metered, MetricsError, MetricsRegistry};
use portcullis_domain::limits::Budget;
use portcullis_ports::{Charge, LimiterError, RateLimiter, Reservation, ReserveOutcome};
use prometheus::{IntCounter, IntCounterVec};

/// Metrics of a [`Metered`] limiter.
///
/// ```
/// use portcullis_ports::{Clock, RateLimiter};
/// use portcullis_telemetry::{LimiterMetrics, Metered, MetricsRegistry, MetricsError};
/// use std::sync::Arc;
/// fn metered(
///     telemetry: &MetricsRegistry,
///     limiter: Arc<dyn RateLimiter>,
///     clock: Arc<dyn Clock>,
/// ) -> Result<Arc<dyn RateLimiter>, MetricsError> {
///     Ok(Arc::new(Metered::new(limiter, LimiterMetrics::register(telemetry)?, clock)))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct LimiterMetrics {
    budgets: [Outcomes; Budget::ALL.len()],
    errors: IntCounter,
}

/// Counters of one budget.
#[derive(Debug, Clone)]
struct Outcomes {
    budget: Budget,
    passed: IntCounter,
    refused: IntCounter,
    refunded: IntCounter,
}

impl LimiterMetrics {
    /// Registers the metrics. Fails if they are already registered.
    pub fn register(telemetry: &MetricsRegistry) -> Result<Self, MetricsError> {
        let help = "What limits made of tries: a refund is of one that had passed.";
        let charges = telemetry.counters("limiter_charges_total", help, &["budget", "outcome"])?;
        let errors = telemetry.counter("limiter_errors_total", "Calls of the limiter that failed.")?;
        let budgets: Result<Vec<_>, _> = Budget::ALL.iter().map(|budget| Outcomes::of(*budget, &charges)).collect();
        let budgets = budgets?.try_into().map_err(|_| MetricsError("a budget is missing".to_owned()))?;
        Ok(Self { budgets, errors })
    }

    fn of_budget(&self, budget: Budget) -> Option<&Outcomes> {
        self.budgets.iter().find(|outcomes| outcomes.budget == budget)
    }

    fn count<T>(&self, outcome: Result<T, LimiterError>) -> Result<T, LimiterError> {
        if outcome.is_err() {
            self.errors.inc();
        }
        outcome
    }
}

impl Outcomes {
    fn of(budget: Budget, charges: &IntCounterVec) -> Result<Self, MetricsError> {
        let counter = |outcome| charges.get_metric_with_label_values(&[budget.as_str(), outcome]);
        Ok(Self { budget, passed: counter("passed")?, refused: counter("refused")?, refunded: counter("refunded")? })
    }
}

impl<L: RateLimiter + ?Sized> RateLimiter for Metered<L, LimiterMetrics> {
    fn reserve(&self, charges: &[Charge]) -> Result<ReserveOutcome, LimiterError> {
        let outcome = self.metrics.count(self.inner.reserve(charges));
        match &outcome {
            Ok(ReserveOutcome::Passed(_)) => {
                let passed = charges.iter().filter_map(|charge| self.metrics.of_budget(charge.budget));
                passed.for_each(|outcomes| outcomes.passed.inc());
            }
            Ok(ReserveOutcome::Refused(exceeded)) => {
                if let Some(outcomes) = self.metrics.of_budget(exceeded.charge.budget) {
                    outcomes.refused.inc();
                }
            }
            Err(_) => {}
        }
        outcome
    }

    fn refund(&self, reservation: &Reservation) -> Result<(), LimiterError> {
        self.metrics.count(self.inner.refund(reservation))?;
        let refunded = reservation.held.iter().filter_map(|held| self.metrics.of_budget(held.charge.budget));
        refunded.for_each(|outcomes| outcomes.refunded.inc());
        Ok(())
    }

    fn clear(&self, charges: &[Charge]) -> Result<(), LimiterError> {
        self.metrics.count(self.inner.clear(charges))
    }

    fn remaining(&self, charge: &Charge) -> Result<u32, LimiterError> {
        self.metrics.count(self.inner.remaining(charge))
    }

    fn check(&self) -> Result<(), LimiterError> {
        self.metrics.count(self.inner.check())
    }
}
