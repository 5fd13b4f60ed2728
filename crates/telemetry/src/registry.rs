//! Registry of all metrics, and the page that displays them.

use parking_lot::Mutex;
use prometheus::TextEncoder;
use prometheus::core::Collector;
use prometheus::{Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use std::fmt;

/// Prefix of all names but those of the process.
const NAMESPACE: &str = "portcullis";

/// Error for a metric that could not be registered: its name is taken or invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("metrics cannot be kept: {0}")]
pub struct MetricsError(pub(crate) String);

impl From<prometheus::Error> for MetricsError {
    fn from(error: prometheus::Error) -> Self {
        Self(error.to_string())
    }
}

/// Updates a metric from its function before the page is rendered.
type Sample = Box<dyn Fn() + Send + Sync>;

/// All metrics of a process.
///
/// ```
/// use portcullis_telemetry::MetricsRegistry;
/// let telemetry = MetricsRegistry::new("1.2.3")?;
/// telemetry.gauge_fn("queue_length", "Jobs that wait.", &[("queue", "mail")], || 3.0)?;
/// let page = telemetry.render();
/// assert!(page.contains("portcullis_build_info{version=\"1.2.3\"} 1\n"));
/// assert!(page.contains("portcullis_queue_length{queue=\"mail\"} 3\n"));
/// # Ok::<(), portcullis_telemetry::MetricsError>(())
/// ```
#[derive(Default)]
pub struct MetricsRegistry {
    registry: Registry,
    gauges: Mutex<Vec<(String, GaugeVec)>>,
    /// Read when the page is rendered.
    samples: Mutex<Vec<Sample>>,
}

impl MetricsRegistry {
    /// Creates a registry with only the `build_info` metric.
    pub fn new(version: &str) -> Result<Self, MetricsError> {
        let telemetry = Self::default();
        let build = telemetry.gauge("build_info", "Which version runs; always 1.", &["version"])?;
        build.get_metric_with_label_values(&[version])?.set(1.0);
        Ok(telemetry)
    }

    /// Registers a gauge that is read when the page is rendered. Gauges with the same name must differ
    /// in label values.
    pub fn gauge_fn(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Result<(), MetricsError> {
        let (names, values): (Vec<_>, Vec<_>) = labels.iter().copied().unzip();
        let gauge: Gauge = self.gauge(name, help, &names)?.get_metric_with_label_values(&values)?;
        self.add_sample(Box::new(move || gauge.set(read())));
        Ok(())
    }

    /// Registers a counter that is kept elsewhere and read when the page is rendered. It must never
    /// decrease.
    pub fn counter_fn(
        &self,
        name: &str,
        help: &str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<(), MetricsError> {
        let counter = self.register(IntCounter::with_opts(options(name, help))?)?;
        // Pages are rendered one at a time.
        self.add_sample(Box::new(move || counter.inc_by(read().saturating_sub(counter.get()))));
        Ok(())
    }

    /// Renders the page in Prometheus's text format, version 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        let samples = self.samples.lock();
        samples.iter().for_each(|sample| sample());
        let families = self.registry.gather();
        drop(samples);
        // Writing to memory cannot fail, and registered metrics have names and values.
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }

    pub(crate) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, MetricsError> {
        self.register(IntCounterVec::new(options(name, help), labels)?)
    }

    pub(crate) fn counter(&self, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
        self.register(IntCounter::with_opts(options(name, help))?)
    }

    /// Registers a histogram of durations in seconds, with one label.
    pub(crate) fn times(
        &self,
        name: &str,
        help: &str,
        label: &str,
        bounds: &[f64],
    ) -> Result<HistogramVec, MetricsError> {
        let options = HistogramOpts::from(options(name, help)).buckets(bounds.to_vec());
        self.register(HistogramVec::new(options, &[label])?)
    }

    /// Returns the gauge with that name. Creates it on first use.
    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, MetricsError> {
        let mut gauges = self.gauges.lock();
        if let Some((_, gauge)) = gauges.iter().find(|(known, _)| known == name) {
            return Ok(gauge.clone());
        }
        let gauge = self.register(GaugeVec::new(options(name, help), labels)?)?;
        gauges.push((name.to_owned(), gauge.clone()));
        Ok(gauge)
    }

    pub(crate) fn add_sample(&self, sample: Sample) {
        self.samples.lock().push(sample);
    }

    pub(crate) fn register<C: Collector + Clone + 'static>(&self, metric: C) -> Result<C, MetricsError> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(NAMESPACE)
}

/// Returns one counter per label value. Creating them early puts all on the page from the start: a
/// series that appears with its first event hides that event from `rate()`.
pub(crate) fn each<const N: usize>(
    counters: &IntCounterVec,
    values: [&str; N],
) -> Result<[IntCounter; N], MetricsError> {
    let made: Result<Vec<_>, _> = values.iter().map(|value| counters.get_metric_with_label_values(&[value])).collect();
    made?.try_into().map_err(|_| MetricsError("a label has too few values".to_owned()))
}

/// Returns one histogram per label value.
pub(crate) fn each_time<const N: usize>(
    histograms: &HistogramVec,
    values: [&str; N],
) -> Result<[Histogram; N], MetricsError> {
    let made: Result<Vec<_>, _> =
        values.iter().map(|value| histograms.get_metric_with_label_values(&[value])).collect();
    made?.try_into().map_err(|_| MetricsError("a label has too few values".to_owned()))
}

impl fmt::Debug for MetricsRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsRegistry").finish_non_exhaustive()
    }
}
