//! Thread that sends spans in batches, with a limited number of retries. Spans that cannot be sent are
//! counted. Logs once when sending starts to fail and once when it works again.

use super::collector::{OtlpClient, SendError};
use super::layer::TraceLayer;
use super::otlp;
use super::queue::{CAPACITY, Counts, Queue};
use super::sampler::Sampler;
use portcullis_ports::{Clock, Entropy};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Maximum time that a span waits for a full batch.
const DELAY: Duration = Duration::from_secs(1);
/// Maximum number of attempts for a batch.
const TRIES: u32 = 3;
/// Delay before the second attempt. Doubled before the third.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Maximum delay. If the collector requests a longer one, the batch is not retried.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Logger of the service itself.
const LOG: &str = "app";

/// Attributes of the process, sent with every request.
#[derive(Debug, Clone)]
pub struct Resource {
    /// `service.name`.
    pub service: String,
    /// `service.version`.
    pub version: String,
    /// `service.instance.id`, which differs between replicas.
    pub instance: String,
}

impl Resource {
    pub(super) fn attributes(&self) -> [(&'static str, &str); 5] {
        [
            ("service.name", &self.service),
            ("service.version", &self.version),
            ("service.instance.id", &self.instance),
            ("telemetry.sdk.name", "portcullis"),
            ("telemetry.sdk.language", "rust"),
        ]
    }
}

/// Sends spans to a collector from its own thread.
#[derive(Debug, Clone)]
pub struct Exporter {
    queue: Arc<Queue>,
}

impl Exporter {
    /// Starts the thread. An unavailable collector is not an error.
    ///
    /// ```
    /// use portcullis_ports::Clock;
    /// use portcullis_telemetry::{OtlpClient, Endpoint, Exporter, Resource};
    /// use std::sync::Arc;
    /// fn start(clock: Arc<dyn Clock>) -> std::io::Result<Exporter> {
    ///     let endpoint = Endpoint::parse("http://localhost:4318").map_err(std::io::Error::other)?;
    ///     let [service, version, instance] = ["auth", "1.0.0", "one"].map(str::to_owned);
    ///     let collector = OtlpClient::new(endpoint, Vec::new(), clock);
    ///     Exporter::start(collector, Resource { service, version, instance })
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns the operating system's error if the thread cannot be created.
    pub fn start(collector: OtlpClient, resource: Resource) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(CAPACITY, DELAY));
        let sender = Sender { collector, resource, queue: Arc::clone(&queue), failing: false, told: 0 };
        std::thread::Builder::new().name("trace-exporter".to_owned()).spawn(|| sender.run())?;
        Ok(Self { queue })
    }

    /// Creates a layer that records spans and passes them to this exporter.
    #[must_use]
    pub fn layer(&self, sampler: Sampler, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> TraceLayer {
        TraceLayer { clock, entropy, sampler, queue: Arc::clone(&self.queue) }
    }

    /// Returns a function that reads the number of spans sent since the start.
    pub fn sent(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let queue = Arc::clone(&self.queue);
        move || queue.counts().sent
    }

    /// Returns a function that reads the number of spans dropped since the start.
    pub fn dropped(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let queue = Arc::clone(&self.queue);
        move || queue.counts().dropped
    }

    /// Accepts no more spans and waits up to `within` for the rest to be sent.
    pub fn close(&self, within: Duration) {
        if !self.queue.close(within) {
            tracing::warn!(target: LOG, "The last spans were not delivered in time");
        }
    }
}

/// State of the sending thread.
struct Sender {
    collector: OtlpClient,
    resource: Resource,
    queue: Arc<Queue>,
    /// `true` if the last request failed.
    failing: bool,
    /// Number of dropped spans that were logged.
    told: u64,
}

impl Sender {
    fn run(mut self) {
        while let Some(spans) = self.queue.take() {
            let delivered = self.deliver(&otlp::request(&self.resource, &spans));
            let count = u64::try_from(spans.len()).unwrap_or(u64::MAX);
            self.queue.count(match &delivered {
                Ok(()) => Counts { sent: count, dropped: 0 },
                Err(_) => Counts { sent: 0, dropped: count },
            });
            self.tell(delivered);
        }
        self.queue.ended();
    }

    /// Sends a request, with retries if they may help (OTLP 1, §OTLP/HTTP Response).
    fn deliver(&self, body: &[u8]) -> Result<(), SendError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match self.collector.send(body) {
                Err(SendError { again: Some(asked), .. }) if asked <= LONGEST_PAUSE => {
                    if !self.queue.pause(pause.max(asked)) {
                        break;
                    }
                }
                outcome => return outcome,
            }
            pause *= 2;
        }
        self.collector.send(body)
    }

    fn tell(&mut self, delivered: Result<(), SendError>) {
        match delivered {
            Err(SendError { reason, .. }) => {
                if !self.failing {
                    tracing::warn!(target: LOG, reason, "Traces cannot be delivered");
                }
                self.failing = true;
            }
            Ok(()) => {
                self.failing = false;
                let dropped = self.queue.counts().dropped;
                if dropped > self.told {
                    let missing = dropped - self.told;
                    tracing::warn!(target: LOG, dropped = missing, "Traces are delivered again; spans were dropped");
                    self.told = dropped;
                }
            }
        }
    }
}
