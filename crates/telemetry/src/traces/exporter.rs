//! The thread that sends spans: many with one request, again where the collector asks for that, and
//! not for ever. What it cannot send it counts, and tells once when it begins and once when it ends.

use super::collector::{OtlpClient, SendError};
use super::layer::TraceLayer;
use super::otlp;
use super::queue::{CAPACITY, Counts, Queue};
use super::sampler::Sampler;
use portcullis_ports::{Clock, Entropy};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long a span waits for company.
const DELAY: Duration = Duration::from_secs(1);
/// How often the same spans are sent at most.
const TRIES: u32 = 3;
/// Before the second try; twice as long before the third.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// A collector that asks for more gets no other try.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The logger of the service itself.
const LOG: &str = "app";

/// What is said of the process with every request.
#[derive(Debug, Clone)]
pub struct Resource {
    /// `service.name`.
    pub service: String,
    /// `service.version`.
    pub version: String,
    /// `service.instance.id`: tells replicas apart.
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

/// Sends spans to a collector, on a thread of its own.
#[derive(Debug, Clone)]
pub struct Exporter {
    queue: Arc<Queue>,
}

impl Exporter {
    /// Starts the thread. A collector that is not there does not stop the start.
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
    /// The operating system's, when there is no thread to be had.
    pub fn start(collector: OtlpClient, resource: Resource) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(CAPACITY, DELAY));
        let sender = Sender { collector, resource, queue: Arc::clone(&queue), failing: false, told: 0 };
        std::thread::Builder::new().name("trace-exporter".to_owned()).spawn(|| sender.run())?;
        Ok(Self { queue })
    }

    /// What makes traces of spans, and hands them to this exporter.
    #[must_use]
    pub fn layer(&self, sampler: Sampler, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> TraceLayer {
        TraceLayer { clock, entropy, sampler, queue: Arc::clone(&self.queue) }
    }

    /// What tells how many spans a collector has taken since the start.
    pub fn sent(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let queue = Arc::clone(&self.queue);
        move || queue.counts().sent
    }

    /// What tells how many spans were dropped since the start.
    pub fn dropped(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let queue = Arc::clone(&self.queue);
        move || queue.counts().dropped
    }

    /// Takes no more spans, and has the rest sent, for that long at most.
    pub fn close(&self, within: Duration) {
        if !self.queue.close(within) {
            tracing::warn!(target: LOG, "The last spans were not delivered in time");
        }
    }
}

struct Sender {
    collector: OtlpClient,
    resource: Resource,
    queue: Arc<Queue>,
    /// Whether the last request was in vain.
    failing: bool,
    /// How many dropped spans have been told of.
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

    /// Sends a request, and again where that may help (OTLP 1, §OTLP/HTTP Response).
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
