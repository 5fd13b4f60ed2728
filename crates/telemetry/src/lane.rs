//! Metrics of the lanes to blocking threads: queueing times and rejected jobs.

use crate::{MetricsError, MetricsRegistry};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};
use std::time::Duration;

/// Bucket bounds in seconds, from 0.1 ms to the longest time that a job waits.
const BOUNDS: [f64; 10] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Metrics of one lane.
///
/// ```
/// use portcullis_telemetry::{LaneMetrics, MetricsRegistry};
/// let telemetry = MetricsRegistry::new("1.0.0")?;
/// let [store, crypto] = LaneMetrics::register(&telemetry, ["store", "crypto"])?;
/// store.on_start(std::time::Duration::ZERO);
/// crypto.on_rejected();
/// assert!(telemetry.render().contains("portcullis_lane_refusals_total{lane=\"crypto\"} 1\n"));
/// # Ok::<(), portcullis_telemetry::MetricsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct LaneMetrics {
    waits: Histogram,
    refusals: IntCounter,
}

impl LaneMetrics {
    /// Registers the metrics of the named lanes. Fails if they are already registered.
    pub fn register<const N: usize>(telemetry: &MetricsRegistry, names: [&str; N]) -> Result<[Self; N], MetricsError> {
        let help = "How long jobs waited for their turn.";
        let waits = telemetry.times("lane_wait_seconds", help, "lane", &BOUNDS)?;
        let help = "Jobs that found no place, or waited in vain.";
        let refusals = telemetry.counters("lane_refusals_total", help, &["lane"])?;
        let lanes: Result<Vec<_>, _> = names.iter().map(|name| Self::new(name, &waits, &refusals)).collect();
        lanes?.try_into().map_err(|_| MetricsError("a lane is missing".to_owned()))
    }

    fn new(name: &str, waits: &HistogramVec, refusals: &IntCounterVec) -> Result<Self, MetricsError> {
        let waits = waits.get_metric_with_label_values(&[name])?;
        Ok(Self { waits, refusals: refusals.get_metric_with_label_values(&[name])? })
    }

    /// Records that a job started after that wait.
    pub fn on_start(&self, waited: Duration) {
        self.waits.observe(waited.as_secs_f64());
    }

    /// Counts a rejected job.
    pub fn on_rejected(&self) {
        self.refusals.inc();
    }
}
