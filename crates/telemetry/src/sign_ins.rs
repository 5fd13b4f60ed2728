//! Metrics of sign-ins with identity providers and passkeys.

use crate::{MetricsError, MetricsRegistry};
use portcullis_domain::providers::{ProviderKind, SignInError};
use portcullis_ports::SignInObserver;
use prometheus::{IntCounter, IntCounterVec};

/// Value of `outcome` for a sign-in that succeeded.
const SUCCEEDED: &str = "succeeded";

/// Value of `outcome` for a passkey that was refused.
const REFUSED: &str = "invalid_credentials";

/// Value of `provider_kind` for passkeys.
const PASSKEY: &str = "passkey";

/// Counts sign-ins with identity providers and passkeys. The labels are from fixed lists.
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
        let help = "Sign-ins with identity providers and passkeys, and identities linked.";
        let counters = telemetry.counters("sign_ins_total", help, &["provider_kind", "outcome"])?;
        for kind in ProviderKind::ALL {
            for outcome in SignInError::ALL.iter().map(|error| error.as_str()).chain([SUCCEEDED]) {
                counters.get_metric_with_label_values(&[kind.as_str(), outcome])?;
            }
        }
        for outcome in [SUCCEEDED, REFUSED] {
            counters.get_metric_with_label_values(&[PASSKEY, outcome])?;
        }
        Ok(Self(counters))
    }

    fn count(&self, kind: &str, outcome: &str) {
        self.0.get_metric_with_label_values(&[kind, outcome]).iter().for_each(IntCounter::inc);
    }
}

impl SignInObserver for SignInMetrics {
    fn on_sign_in(&self, kind: ProviderKind, outcome: Result<(), SignInError>) {
        self.count(kind.as_str(), outcome.map_or_else(SignInError::as_str, |()| SUCCEEDED));
    }

    fn on_passkey(&self, accepted: bool) {
        self.count(PASSKEY, if accepted { SUCCEEDED } else { REFUSED });
    }
}
