//! Metrics of sign-ins with identity providers.

use crate::{MetricsError, MetricsRegistry};
use portcullis_domain::providers::{ProviderKind, SignInError};
use portcullis_ports::SignInObserver;
use prometheus::{IntCounter, IntCounterVec};

/// Value of `outcome` for a sign-in that succeeded.
const SUCCEEDED: &str = "succeeded";

/// Counts sign-ins with identity providers. The labels are from fixed lists.
///
/// ```
/// use portcullis_domain::providers::{ProviderKind, SignInError};
/// use portcullis_ports::SignInObserver;
/// use portcullis_telemetry::{MetricsRegistry, SignInMetrics};
/// let telemetry = MetricsRegistry::new("1.0.0")?;
/// SignInMetrics::register(&telemetry)?.on_sign_in(ProviderKind::GitHub, Err(SignInError::EmailMissing));
/// let series = r#"portcullis_sign_ins_total{outcome="email_missing",provider_kind="github"} 1"#;
/// assert!(telemetry.render().contains(series));
/// # Ok::<(), portcullis_telemetry::MetricsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SignInMetrics(IntCounterVec);

impl SignInMetrics {
    /// Registers the metrics, with 0 for each outcome. Fails if they are already registered.
    pub fn register(telemetry: &MetricsRegistry) -> Result<Self, MetricsError> {
        let help = "Sign-ins with identity providers, and identities linked.";
        let counters = telemetry.counters("sign_ins_total", help, &["provider_kind", "outcome"])?;
        for kind in ProviderKind::ALL {
            for outcome in SignInError::ALL.iter().map(|error| error.as_str()).chain([SUCCEEDED]) {
                counters.get_metric_with_label_values(&[kind.as_str(), outcome])?;
            }
        }
        Ok(Self(counters))
    }
}

impl SignInObserver for SignInMetrics {
    fn on_sign_in(&self, kind: ProviderKind, outcome: Result<(), SignInError>) {
        let outcome = outcome.map_or_else(SignInError::as_str, |()| SUCCEEDED);
        let counter = self.0.get_metric_with_label_values(&[kind.as_str(), outcome]);
        counter.iter().for_each(IntCounter::inc);
    }
}
