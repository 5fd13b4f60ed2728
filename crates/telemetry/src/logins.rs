//! Metrics of logins by password.

use crate::registry::each;
use crate::{MetricsError, MetricsRegistry};
use portcullis_domain::ErrorCode;
use prometheus::IntCounter;

/// Counts logins by password.
///
/// ```
/// use portcullis_domain::ErrorCode;
/// use portcullis_telemetry::{LoginMetrics, MetricsRegistry};
/// let telemetry = MetricsRegistry::new("1.0.0")?;
/// LoginMetrics::register(&telemetry)?.record(Err(ErrorCode::RateLimited));
/// assert!(telemetry.render().contains("portcullis_logins_total{outcome=\"rate_limited\"} 1\n"));
/// # Ok::<(), portcullis_telemetry::MetricsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct LoginMetrics {
    succeeded: IntCounter,
    invalid_credentials: IntCounter,
    email_unverified: IntCounter,
    second_factor_required: IntCounter,
    enrolment_required: IntCounter,
    rate_limited: IntCounter,
    unavailable: IntCounter,
    failed: IntCounter,
}

impl LoginMetrics {
    /// Registers the metrics. Fails if they are already registered.
    pub fn register(telemetry: &MetricsRegistry) -> Result<Self, MetricsError> {
        let help = "Logins by password, at the API and on the account pages.";
        let counters = telemetry.counters("logins_total", help, &["outcome"])?;
        let names = ["succeeded", "invalid_credentials", "email_unverified", "second_factor_required"];
        let [succeeded, invalid_credentials, email_unverified, second_factor_required] = each(&counters, names)?;
        let names = ["enrolment_required", "rate_limited", "unavailable", "failed"];
        let [enrolment_required, rate_limited, unavailable, failed] = each(&counters, names)?;
        Ok(Self {
            succeeded,
            invalid_credentials,
            email_unverified,
            second_factor_required,
            enrolment_required,
            rate_limited,
            unavailable,
            failed,
        })
    }

    /// Counts a login.
    pub fn record(&self, outcome: Result<(), ErrorCode>) {
        let counter = match outcome {
            Ok(()) => &self.succeeded,
            Err(ErrorCode::InvalidCredentials) => &self.invalid_credentials,
            Err(ErrorCode::EmailUnverified) => &self.email_unverified,
            Err(ErrorCode::MfaRequired) => &self.second_factor_required,
            Err(ErrorCode::MfaEnrolmentRequired) => &self.enrolment_required,
            Err(ErrorCode::RateLimited) => &self.rate_limited,
            Err(ErrorCode::Unavailable) => &self.unavailable,
            Err(_) => &self.failed,
        };
        counter.inc();
    }
}
