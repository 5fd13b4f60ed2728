//! Metrics of the verdicts on refresh tokens.

use crate::registry::each;
use crate::{MetricsError, MetricsRegistry};
use portcullis_domain::tokens::Verdict;
use portcullis_ports::RefreshObserver;
use prometheus::IntCounter;

/// Counts the verdicts on presented refresh tokens.
///
/// ```
/// use portcullis_domain::tokens::Verdict;
/// use portcullis_ports::RefreshObserver;
/// use portcullis_telemetry::{MetricsRegistry, VerdictMetrics};
/// let telemetry = MetricsRegistry::new("1.0.0")?;
/// VerdictMetrics::register(&telemetry)?.on_verdict(Verdict::Theft);
/// assert!(telemetry.render().contains("portcullis_refresh_verdicts_total{verdict=\"theft\"} 1\n"));
/// # Ok::<(), portcullis_telemetry::MetricsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct VerdictMetrics {
    rotated: IntCounter,
    retried: IntCounter,
    overlapped: IntCounter,
    raced: IntCounter,
    theft: IntCounter,
    ended: IntCounter,
    expired: IntCounter,
}

impl VerdictMetrics {
    /// Registers the metrics. Fails if they are already registered.
    pub fn register(telemetry: &MetricsRegistry) -> Result<Self, MetricsError> {
        let help = "What genuine refresh tokens were worth that were shown.";
        let counters = telemetry.counters("refresh_verdicts_total", help, &["verdict"])?;
        let names = ["rotated", "retried", "overlapped", "raced", "theft", "ended", "expired"];
        let [rotated, retried, overlapped, raced, theft, ended, expired] = each(&counters, names)?;
        Ok(Self { rotated, retried, overlapped, raced, theft, ended, expired })
    }
}

impl RefreshObserver for VerdictMetrics {
    fn on_verdict(&self, verdict: Verdict) {
        let counter = match verdict {
            Verdict::Rotated => &self.rotated,
            Verdict::Retried(_) => &self.retried,
            Verdict::Overlapped(_) => &self.overlapped,
            Verdict::Raced => &self.raced,
            Verdict::Theft => &self.theft,
            Verdict::Ended => &self.ended,
            Verdict::Expired => &self.expired,
        };
        counter.inc();
    }
}
