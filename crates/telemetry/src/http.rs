//! Metrics of HTTP requests: counts and response times.

use crate::{MetricsError, MetricsRegistry};
use prometheus::{Histogram, IntCounter, IntCounterVec};
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

/// Bucket bounds in seconds, from 0.5 ms (faster than a commit) to 10 s (when requests are abandoned).
const BOUNDS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Statuses that the service sends. All others share one label, which bounds the number of series.
const STATUSES: [(u16, &str); 23] = [
    (200, "200"),
    (201, "201"),
    (202, "202"),
    (204, "204"),
    (304, "304"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (406, "406"),
    (408, "408"),
    (409, "409"),
    (412, "412"),
    (413, "413"),
    (415, "415"),
    (417, "417"),
    (422, "422"),
    (429, "429"),
    (431, "431"),
    (500, "500"),
    (501, "501"),
    (503, "503"),
];
const OTHER: &str = "other";
const KINDS: usize = STATUSES.len() + 1;

/// Counts requests by route, method and status, and measures response times by route.
///
/// ```
/// use portcullis_telemetry::{MetricsRegistry, HttpMetrics};
/// use std::time::Duration;
/// let telemetry = MetricsRegistry::new("1.0.0")?;
/// let traffic = HttpMetrics::new(&telemetry, &["/health", "unmatched"], &["GET", "other"])?;
/// traffic.record(0, 0, 200, Duration::from_millis(2));
/// let line = "portcullis_http_requests_total{method=\"GET\",route=\"/health\",status=\"200\"} 1\n";
/// assert!(telemetry.render().contains(line));
/// # Ok::<(), portcullis_telemetry::MetricsError>(())
/// ```
pub struct HttpMetrics {
    requests: IntCounterVec,
    /// One counter per route, method and status. Created on first use, because there are thousands and
    /// most are never used.
    counters: Vec<OnceLock<IntCounter>>,
    times: Vec<Histogram>,
    routes: &'static [&'static str],
    methods: &'static [&'static str],
}

impl HttpMetrics {
    /// Registers the metrics for these routes and methods. [`record`](Self::record) refers to them by
    /// index.
    pub fn new(
        telemetry: &MetricsRegistry,
        routes: &'static [&'static str],
        methods: &'static [&'static str],
    ) -> Result<Self, MetricsError> {
        let help = "Requests that were answered.";
        let requests = telemetry.counters("http_requests_total", help, &["route", "method", "status"])?;
        let help = "From a request's headers to its answer's.";
        let histogram = telemetry.times("http_request_duration_seconds", help, "route", &BOUNDS)?;
        let times = routes.iter().map(|route| histogram.get_metric_with_label_values(&[route]));
        let times = times.collect::<Result<_, _>>()?;
        let counters = (0..routes.len() * methods.len() * KINDS).map(|_| OnceLock::new()).collect();
        Ok(Self { requests, counters, times, routes, methods })
    }

    /// Counts a request by the indexes of its route and method.
    pub fn record(&self, route: usize, method: usize, status: u16, took: Duration) {
        let kind = STATUSES.iter().position(|(known, _)| *known == status);
        let place = (route * self.methods.len() + method) * KINDS + kind.unwrap_or(STATUSES.len());
        if let (Some(route), Some(method)) = (self.routes.get(route), self.methods.get(method))
            && let Some(counter) = self.counters.get(place)
        {
            let status = kind.and_then(|at| STATUSES.get(at)).map_or(OTHER, |(_, name)| *name);
            counter.get_or_init(|| self.requests.with_label_values(&[route, method, status])).inc();
        }
        if let Some(times) = self.times.get(route) {
            times.observe(took.as_secs_f64());
        }
    }
}

impl fmt::Debug for HttpMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpMetrics").finish_non_exhaustive()
    }
}
