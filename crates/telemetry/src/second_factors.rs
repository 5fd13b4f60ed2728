//! Metrics of attempts at second factors.

use crate::registry::each;
use crate::{MetricsError, MetricsRegistry};
use portcullis_ports::{SecondFactorObserver, SecondFactorOutcome};
use prometheus::IntCounter;

/// Counts attempts at second factors.
///
/// ```
/// use portcullis_ports::{SecondFactorObserver, SecondFactorOutcome};
/// use portcullis_telemetry::{MetricsRegistry, SecondFactorMetrics};
/// let telemetry = MetricsRegistry::new("1.0.0")?;
/// SecondFactorMetrics::register(&telemetry)?.on_attempt(SecondFactorOutcome::Wrong);
/// assert!(telemetry.render().contains("portcullis_second_factors_total{outcome=\"wrong\"} 1\n"));
/// # Ok::<(), portcullis_telemetry::MetricsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SecondFactorMetrics {
    right: IntCounter,
    wrong: IntCounter,
    limited: IntCounter,
}

impl SecondFactorMetrics {
    /// Registers the metrics. Fails if they are already registered.
    pub fn register(telemetry: &MetricsRegistry) -> Result<Self, MetricsError> {
        let help = "Attempts at second factors: codes of authenticator apps and recovery codes.";
        let counters = telemetry.counters("second_factors_total", help, &["outcome"])?;
        let [right, wrong, limited] = each(&counters, ["right", "wrong", "limited"])?;
        Ok(Self { right, wrong, limited })
    }
}

impl SecondFactorObserver for SecondFactorMetrics {
    fn on_attempt(&self, outcome: SecondFactorOutcome) {
        let counter = match outcome {
            SecondFactorOutcome::Right => &self.right,
            SecondFactorOutcome::Wrong => &self.wrong,
            SecondFactorOutcome::Limited => &self.limited,
        };
        counter.inc();
    }
}
