//! Wraps ports in tracing decorators and starts the exporter. Without `OTEL_EXPORTER_OTLP_ENDPOINT`
//! nothing is decorated, no thread runs and no span is created.

use super::metrics::Metrics;
use crate::settings;
use crate::system::OsEntropy;
use portcullis_ports::{EntropyExt, PasswordHasher, RateLimiter, Sealer, Store, TokenIssuer, TokenVerifier};
use portcullis_telemetry::{Exporter, ExporterSettings, Traced};
use std::sync::Arc;
use std::time::Duration;

/// Maximum wait for the export of the last spans at shutdown.
const FLUSH: Duration = Duration::from_secs(2);

/// Traces of the process; empty if tracing is off.
#[derive(Clone, Default)]
pub(crate) struct Traces(Option<Exporter>);

impl Traces {
    /// Starts the exporter, if an endpoint is set.
    pub(crate) fn start(settings: &settings::Traces) -> std::io::Result<Self> {
        let Some(endpoint) = settings.endpoint.clone() else { return Ok(Self(None)) };
        let instance = uuid::Builder::from_random_bytes(OsEntropy.array()).into_uuid().to_string();
        let own = [("service.version", env!("CARGO_PKG_VERSION").to_owned()), ("service.instance.id", instance)];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        let exporter = Exporter::start(ExporterSettings {
            endpoint,
            protocol: settings.protocol,
            headers: settings.headers(),
            timeout: settings.timeout,
            resource: own.into_iter().chain(settings.resource.iter().cloned()).collect(),
            sampler: settings.sampler,
        })?;
        Ok(Self(Some(exporter)))
    }

    /// Returns the exporter, whose layer turns spans into traces.
    pub(crate) fn exporter(&self) -> Option<&Exporter> {
        self.0.as_ref()
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

    pub(super) fn store(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        if self.0.is_some() { Arc::new(Traced::new(store)) } else { store }
    }

    pub(super) fn hasher(&self, hasher: Arc<dyn PasswordHasher>) -> Arc<dyn PasswordHasher> {
        if self.0.is_some() { Arc::new(Traced::new(hasher)) } else { hasher }
    }

    pub(super) fn limiter(&self, limiter: Arc<dyn RateLimiter>) -> Arc<dyn RateLimiter> {
        if self.0.is_some() { Arc::new(Traced::new(limiter)) } else { limiter }
    }

    pub(super) fn sealer(&self, sealer: Arc<dyn Sealer>) -> Arc<dyn Sealer> {
        if self.0.is_some() { Arc::new(Traced::new(sealer)) } else { sealer }
    }

    pub(super) fn issuer(&self, issuer: Arc<dyn TokenIssuer>) -> Arc<dyn TokenIssuer> {
        if self.0.is_some() { Arc::new(Traced::new(issuer)) } else { issuer }
    }

    pub(super) fn verifier(&self, verifier: Arc<dyn TokenVerifier>) -> Arc<dyn TokenVerifier> {
        if self.0.is_some() { Arc::new(Traced::new(verifier)) } else { verifier }
    }
}
