//! Metrics of password hashing: response times and errors.

use crate::registry::{each, each_time};
use crate::{Metered, MetricsError, MetricsRegistry};
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{CancellationToken, HasherError, PasswordCheck, PasswordHasher};
use prometheus::{Histogram, IntCounter};

/// Bucket bounds in seconds, from a hash in a test to the longest time in the queue plus a hash.
const BOUNDS: [f64; 10] = [0.005, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0];

/// Metrics of a [`Metered`] hasher.
///
/// ```
/// use portcullis_ports::{Clock, PasswordHasher};
/// use portcullis_telemetry::{HasherMetrics, Metered, MetricsRegistry, MetricsError};
/// use std::sync::Arc;
/// fn metered(
///     telemetry: &MetricsRegistry,
///     hasher: Arc<dyn PasswordHasher>,
///     clock: Arc<dyn Clock>,
/// ) -> Result<Arc<dyn PasswordHasher>, MetricsError> {
///     Ok(Arc::new(Metered::new(hasher, HasherMetrics::register(telemetry)?, clock)))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct HasherMetrics {
    hash: Histogram,
    verify: Histogram,
    stand_in: Histogram,
    busy: IntCounter,
    failed: IntCounter,
}

impl HasherMetrics {
    /// Registers the metrics. Fails if they are already registered.
    pub fn register(telemetry: &MetricsRegistry) -> Result<Self, MetricsError> {
        let help = "How long callers waited for a hash, its time in the queue included.";
        let times = telemetry.times("password_hash_duration_seconds", help, "operation", &BOUNDS)?;
        let [hash, verify, stand_in] = each_time(&times, ["hash", "verify", "stand_in"])?;
        let help = "Hashes that were asked for and not made.";
        let errors = telemetry.counters("password_hash_errors_total", help, &["reason"])?;
        let [busy, failed] = each(&errors, ["busy", "failed"])?;
        Ok(Self { hash, verify, stand_in, busy, failed })
    }

    fn count<T>(&self, outcome: Result<T, HasherError>) -> Result<T, HasherError> {
        match &outcome {
            Ok(_) => {}
            Err(HasherError::Busy { .. }) => self.busy.inc(),
            Err(HasherError::Failed(_)) => self.failed.inc(),
        }
        outcome
    }
}

impl<H: PasswordHasher + ?Sized> PasswordHasher for Metered<H, HasherMetrics> {
    fn hash(&self, password: &Password, cancellation: &CancellationToken) -> Result<PasswordHash, HasherError> {
        self.metrics.count(self.timed(&self.metrics.hash, |hasher| hasher.hash(password, cancellation)))
    }

    fn rehash(
        &self,
        password: &Password,
        outdated: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordHash, HasherError> {
        self.metrics.count(self.timed(&self.metrics.hash, |hasher| hasher.rehash(password, outdated, cancellation)))
    }

    fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError> {
        self.metrics.count(self.timed(&self.metrics.verify, |hasher| hasher.verify(password, hash, cancellation)))
    }

    fn placeholder(&self) -> PasswordHash {
        self.inner.placeholder()
    }

    fn dummy_verify(
        &self,
        password: &Password,
        account: &str,
        cancellation: &CancellationToken,
    ) -> Result<(), HasherError> {
        let verify = |hasher: &H| hasher.dummy_verify(password, account, cancellation);
        self.metrics.count(self.timed(&self.metrics.stand_in, verify))
    }
}
