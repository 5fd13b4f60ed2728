//! Metrics of the store: response times and errors.

use crate::registry::{each, each_time};
use crate::{Metered, MetricsError, MetricsRegistry};
use portcullis_ports::{Rotation, Store, StoreError, TxMode, TxWork};
use prometheus::{Histogram, IntCounter};

/// Bucket bounds in seconds, from an SQLite read to the time after which a call counts as stuck.
const BOUNDS: [f64; 11] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 2.0, 8.0];

/// Metrics of a [`Metered`] store.
///
/// ```
/// use portcullis_ports::{Clock, Store};
/// use portcullis_telemetry::{Metered, StoreMetrics, MetricsRegistry, MetricsError};
/// use std::sync::Arc;
/// fn metered(
///     telemetry: &MetricsRegistry,
///     store: Arc<dyn Store>,
///     clock: Arc<dyn Clock>,
/// ) -> Result<Arc<dyn Store>, MetricsError> {
///     Ok(Arc::new(Metered::new(store, StoreMetrics::register(telemetry)?, clock)))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct StoreMetrics {
    read: Histogram,
    write: Histogram,
    rotate: Histogram,
    unavailable: IntCounter,
    unwritable: IntCounter,
    busy: IntCounter,
    circuit_open: IntCounter,
    corrupt: IntCounter,
    failed: IntCounter,
}

impl StoreMetrics {
    /// Registers the metrics. Fails if they are already registered.
    pub fn register(telemetry: &MetricsRegistry) -> Result<Self, MetricsError> {
        let help = "How long calls of the store took, their wait for a connection included.";
        let times = telemetry.times("store_duration_seconds", help, "operation", &BOUNDS)?;
        let [read, write, rotate] = each_time(&times, ["read", "write", "rotate"])?;
        let errors = telemetry.counters("store_errors_total", "Calls of the store that failed.", &["reason"])?;
        let reasons = ["unavailable", "unwritable", "busy", "circuit_open", "corrupt", "failed"];
        let [unavailable, unwritable, busy, circuit_open, corrupt, failed] = each(&errors, reasons)?;
        Ok(Self { read, write, rotate, unavailable, unwritable, busy, circuit_open, corrupt, failed })
    }

    fn times(&self, mode: TxMode) -> &Histogram {
        match mode {
            TxMode::Read => &self.read,
            TxMode::Write => &self.write,
        }
    }

    fn count<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &outcome {
            let counter = match error {
                StoreError::Unavailable(_) => &self.unavailable,
                StoreError::Unwritable(_) => &self.unwritable,
                StoreError::Busy(_) => &self.busy,
                StoreError::CircuitOpen { .. } => &self.circuit_open,
                StoreError::Corrupt { .. } => &self.corrupt,
                StoreError::Failed(_) => &self.failed,
            };
            counter.inc();
        }
        outcome
    }
}

impl<S: Store + ?Sized> Store for Metered<S, StoreMetrics> {
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        self.metrics.count(self.timed(self.metrics.times(mode), |store| store.transact(mode, work)))
    }

    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        self.metrics.count(self.timed(&self.metrics.rotate, |store| store.rotate(rotations)))
    }

    fn check(&self, mode: TxMode) -> Result<(), StoreError> {
        self.metrics.count(self.timed(self.metrics.times(mode), |store| store.check(mode)))
    }
}
