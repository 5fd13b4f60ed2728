//! Replaces the exporter in a build without the feature `otlp`.

use super::ExporterSettings;
use std::io;
use std::time::Duration;
use tracing::Subscriber;
use tracing_subscriber::layer::{Identity, Layer};

/// Exporter that cannot be started.
#[derive(Debug, Clone)]
pub enum Exporter {}

impl Exporter {
    /// Refuses to start.
    ///
    /// # Errors
    /// Always.
    pub fn start(_: ExporterSettings) -> io::Result<Self> {
        Err(io::Error::other("this program was built without the feature otlp"))
    }

    /// Creates a layer.
    #[must_use]
    pub fn layer<S: Subscriber>(&self) -> impl Layer<S> + use<S> {
        Identity::new()
    }

    /// Returns a function that reads the number of spans sent since the start.
    pub fn sent(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        || 0
    }

    /// Returns a function that reads the number of spans dropped since the start.
    pub fn dropped(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        || 0
    }

    /// Sends the remaining spans.
    pub fn close(&self, _within: Duration) {}
}
