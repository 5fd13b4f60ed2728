//! Metrics page of a running service, for tests that count what happened.

use super::calls::agent;
use super::services::Service;
use portcullis_testkit::prometheus::Page;

/// Metrics listener of a service that was started with `METRICS_ADDR`.
pub(crate) struct Metrics {
    pub(crate) url: String,
}

impl Metrics {
    pub(crate) fn of(service: &Service) -> Self {
        Self { url: service.metrics_url() }
    }

    pub(crate) fn text(&self) -> String {
        let mut response = agent(0).get(format!("{}/metrics", self.url)).call().unwrap();
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        response.body_mut().read_to_string().unwrap()
    }

    /// Reads the page and checks it against every rule of the format.
    pub(crate) fn page(&self) -> Page {
        let text = self.text();
        Page::read(&text).unwrap_or_else(|fault| panic!("{fault}\n{text}"))
    }

    /// Returns every nonzero series of a metric, without the metric's name.
    pub(crate) fn counts(&self, metric: &str) -> Vec<(String, u32)> {
        let page = self.page();
        let series = page.iter().filter_map(|(name, value)| Some((name.strip_prefix(metric)?, value)));
        series.filter(|(_, value)| *value > 0.0).map(|(labels, value)| (labels.to_owned(), value as u32)).collect()
    }

    /// Counts the password hashes computed so far.
    pub(crate) fn hashes(&self) -> f64 {
        self.page().sum("portcullis_password_hash_duration_seconds_count")
    }
}
