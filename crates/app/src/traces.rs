//! Wraps ports in tracing decorators and starts the exporter. Without `OTEL_EXPORTER_OTLP_ENDPOINT`
//! nothing is decorated, no thread runs and no span is created.

use crate::metrics::Metrics;
use crate::settings;
use crate::system::OsEntropy;
use portcullis_ports::{Clock, EntropyExt, PasswordHasher, RateLimiter, Store, TokenIssuer, TokenVerifier};
use portcullis_telemetry::{Exporter, OtlpClient, Resource, TraceLayer, Traced};
use std::sync::Arc;
use std::time::Duration;

/// Maximum wait for the export of the last spans at shutdown.
const FLUSH: Duration = Duration::from_secs(2);

/// Traces of the process; empty if tracing is off.
#[derive(Clone, Default)]
pub(crate) struct Traces(Option<Exporter>);

impl Traces {
    /// Starts the exporter and creates the layer that turns spans into traces, if an endpoint is set.
    pub(crate) fn start(
        settings: &settings::Traces,
        clock: &Arc<dyn Clock>,
    ) -> std::io::Result<(Self, Option<TraceLayer>)> {
        let Some(endpoint) = settings.endpoint.clone() else { return Ok((Self(None), None)) };
        let collector = OtlpClient::new(endpoint, settings.headers(), clock.clone());
        let instance = uuid::Builder::from_random_bytes(OsEntropy.array()).into_uuid().to_string();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let exporter = Exporter::start(collector, Resource { service: settings.service.clone(), version, instance })?;
        let layer = exporter.layer(settings.sampler, clock.clone(), Arc::new(OsEntropy));
        Ok((Self(Some(exporter)), Some(layer)))
    }

    /// Registers the counters of sent and dropped spans.
    pub(crate) fn count(&self, metrics: &Metrics) -> anyhow::Result<()> {
        let Some(exporter) = &self.0 else { return Ok(()) };
        metrics.traces(exporter.sent(), exporter.dropped())
    }

    /// Sends the remaining spans. Waits up to 2 s.
    pub(crate) fn close(&self) {
        if let Some(exporter) = &self.0 {
            exporter.close(FLUSH);
        }
    }

    pub(crate) fn store(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        if self.0.is_some() { Arc::new(Traced::new(store)) } else { store }
    }

    pub(crate) fn hasher(&self, hasher: Arc<dyn PasswordHasher>) -> Arc<dyn PasswordHasher> {
        if self.0.is_some() { Arc::new(Traced::new(hasher)) } else { hasher }
    }

    pub(crate) fn limiter(&self, limiter: Arc<dyn RateLimiter>) -> Arc<dyn RateLimiter> {
        if self.0.is_some() { Arc::new(Traced::new(limiter)) } else { limiter }
    }

    pub(crate) fn issuer(&self, issuer: Arc<dyn TokenIssuer>) -> Arc<dyn TokenIssuer> {
        if self.0.is_some() { Arc::new(Traced::new(issuer)) } else { issuer }
    }

    pub(crate) fn verifier(&self, verifier: Arc<dyn TokenVerifier>) -> Arc<dyn TokenVerifier> {
        if self.0.is_some() { Arc::new(Traced::new(verifier)) } else { verifier }
    }
}
