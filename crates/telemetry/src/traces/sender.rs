//! Sends batches of spans by OTLP, and counts their outcome. Logs once when sending starts to fail and
//! once when it works again.

use super::queue::Counts;
use super::{ExporterSettings, OtlpProtocol};
use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper_tls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use native_tls::{Protocol, TlsConnector};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{self, SpanData};
use parking_lot::Mutex;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tonic::metadata::MetadataMap;
use tonic::transport::Endpoint;

/// Logger of the service itself.
const LOG: &str = "app";

/// Error of the last HTTP request, which the exporter's own errors leave out.
type Fault = Arc<Mutex<Option<String>>>;

/// Exporter of OpenTelemetry in a runtime of its own.
#[derive(Debug)]
pub(super) struct Sender {
    exporter: SpanExporter,
    /// Driven by a thread of its own, which also notices that the collector closes an idle connection.
    runtime: Handle,
    fault: Fault,
    counts: Arc<Counts>,
    reported: Mutex<Reported>,
}

#[derive(Debug, Default)]
struct Reported {
    /// `true` if the last batch was not delivered.
    failing: bool,
    /// Number of dropped spans that were logged.
    dropped: u64,
}

impl Sender {
    pub(super) fn new(settings: ExporterSettings, counts: Arc<Counts>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("trace-exporter".to_owned())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        let fault = Fault::default();
        let exporter = {
            let _inside = handle.enter();
            exporter(settings, &fault)?
        };
        Ok(Self { exporter, runtime: handle, fault, counts, reported: Mutex::default() })
    }

    fn report(&self, outcome: &OTelSdkResult) {
        let mut reported = self.reported.lock();
        match outcome {
            Err(error) => {
                if !reported.failing {
                    let reason = self.fault.lock().take().unwrap_or_else(|| error.to_string());
                    tracing::warn!(target: LOG, reason, "Traces cannot be delivered");
                }
                reported.failing = true;
            }
            Ok(()) => {
                reported.failing = false;
                let dropped = self.counts.dropped();
                if dropped > reported.dropped {
                    let missing = dropped - reported.dropped;
                    tracing::warn!(target: LOG, dropped = missing, "Traces are delivered again; spans were dropped");
                    reported.dropped = dropped;
                }
            }
        }
    }
}

impl trace::SpanExporter for Sender {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.counts.take(spans);
        let outcome = self.runtime.block_on(self.exporter.export(batch));
        self.counts.end(spans, outcome.is_ok());
        self.report(&outcome);
        outcome
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Creates the exporter for the protocol. It makes up to three attempts within the timeout.
fn exporter(settings: ExporterSettings, fault: &Fault) -> io::Result<SpanExporter> {
    let ExporterSettings { endpoint, protocol, headers, timeout, .. } = settings;
    let headers = header_map(headers)?;
    let (pause, longest) = (Duration::from_secs(1), Duration::from_secs(5));
    let retries = RetryPolicy::default().with_max_retries(2).with_initial_delay(pause).with_max_delay(longest);
    let exporter = match protocol {
        OtlpProtocol::HttpProtobuf => {
            let client = HyperClient::new(connector(&endpoint, &[])?, timeout, None);
            SpanExporter::builder()
                .with_http()
                .with_http_client(Client { client, headers, fault: Arc::clone(fault) })
                .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
                .with_endpoint(endpoint)
                .with_timeout(timeout)
                .with_retry_policy(retries)
                .build()
        }
        OtlpProtocol::Grpc => {
            let connector = connector(&endpoint, &["h2"])?;
            let channel = Endpoint::from_shared(endpoint).map_err(io::Error::other)?.timeout(timeout);
            SpanExporter::builder()
                .with_tonic()
                .with_channel(channel.connect_with_connector_lazy(connector))
                .with_metadata(MetadataMap::from_headers(headers))
                .with_timeout(timeout)
                .with_retry_policy(retries)
                .build()
        }
    };
    exporter.map_err(io::Error::other)
}

fn header_map(headers: Vec<(String, String)>) -> io::Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let mut value = HeaderValue::try_from(value).map_err(io::Error::other)?;
        value.set_sensitive(true);
        map.insert(HeaderName::try_from(name).map_err(io::Error::other)?, value);
    }
    Ok(map)
}

/// Creates a connector with TLS for `https`. Loads the machine's certificates only if needed.
fn connector(endpoint: &str, protocols: &[&str]) -> io::Result<HttpsConnector<HttpConnector>> {
    let tls = TlsConnector::builder()
        .min_protocol_version(Some(Protocol::Tlsv12))
        .disable_built_in_roots(!endpoint.starts_with("https:"))
        .request_alpns(protocols)
        .build()
        .map_err(io::Error::other)?;
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    Ok(HttpsConnector::from((tcp, tls.into())))
}

/// HTTP client that adds headers and keeps the reason of a failure.
#[derive(Debug)]
struct Client {
    client: HyperClient<HttpsConnector<HttpConnector>>,
    headers: HeaderMap,
    fault: Fault,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        request.headers_mut().extend(self.headers.clone());
        let outcome = self.client.send_bytes(request).await;
        *self.fault.lock() = outcome.as_ref().err().map(|error| chain(error.as_ref()));
        outcome
    }
}

/// Renders an error with its sources.
fn chain(error: &(dyn Error + 'static)) -> String {
    let sources = std::iter::successors(Some(error), |error| (*error).source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
