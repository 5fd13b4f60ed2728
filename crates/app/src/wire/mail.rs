//! Wires email delivery: the mailer with its circuit breaker, and the background threads.

use super::metrics::OutboxLoad;
use super::{AppContext, Base, circuits};
use crate::settings::{self, Settings};
use anyhow::Context;
use parking_lot::Mutex;
use portcullis_domain::health::CircuitState;
use portcullis_lettre::{FolderMailer, SmtpMailer, SmtpUrl, TimeLimits, TrustRoots};
use portcullis_ports::{CircuitMonitor, Clock, Mailer, OutboxNotifier};
use portcullis_resilience::Breaker;
use portcullis_usecases::mail::{CountMail, DeliverMail, DeliveryOutcome};
use portcullis_worker::{Job, NextStep, Notifier, Worker, WorkerSettings};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Logger name of email delivery.
const LOG: &str = "app.mail";
/// Emails sent to a mail server concurrently. Delivery has its own threads; no request waits for it.
const THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);
/// Writing to a folder is fast enough for one thread.
const FOLDER_THREADS: NonZeroUsize = NonZeroUsize::MIN;
/// Interval at which workers poll for emails that became due or were stored by another replica.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Delay before a new email is processed, so that the client has its response first: the response time
/// must not reveal whether an email was created.
const SEND_DELAY: Duration = Duration::from_millis(30);

/// Email parts that the composition root connects to the rest of the service.
pub(super) struct MailService {
    notifier: Notifier,
    mailer: Arc<Breaker<Arc<dyn Mailer>>>,
}

impl MailService {
    /// Creates the mailer. Sends nothing yet.
    pub(super) fn new(settings: &Settings, clock: &Arc<dyn Clock>) -> Self {
        let mailer = Arc::new(Breaker::new("mail", mailer(settings, clock), circuits::mail(clock)));
        Self { notifier: Notifier::default(), mailer }
    }

    /// Returns the notifier that wakes the delivery threads.
    pub(super) fn notifier(&self) -> Arc<dyn OutboxNotifier> {
        Arc::new(self.notifier.clone())
    }

    /// Returns the circuit around the mailer.
    pub(super) fn circuit(&self) -> Arc<dyn CircuitMonitor> {
        self.mailer.clone()
    }

    /// Starts the delivery threads.
    pub(super) fn start(self, settings: &Settings, parts: &AppContext, base: &Base) -> anyhow::Result<Worker> {
        let (circuit, Base { store, outbox, renderer, limits, clock, .. }) = (self.circuit(), base.clone());
        let (links, mailer) = (settings.mail.links.clone(), self.mailer);
        let (load, due) = (parts.metrics.outbox()?, Mutex::default());
        let count = Count { verb: CountMail { store: store.clone() }, load, due };
        let observer = parts.metrics.mails()?;
        let verb = DeliverMail { store, outbox, links, renderer, mailer, limits, observer, clock: clock.clone() };
        let job = DeliveryJob { verb, circuit, count, clock, failing: AtomicBool::new(false) };
        let threads = if settings.mail.server.is_some() { THREADS } else { FOLDER_THREADS };
        let pace = WorkerSettings { threads, poll: POLL_INTERVAL, delay: SEND_DELAY };
        Worker::start("mail", &self.notifier, pace, Arc::new(job)).context("cannot start the mail threads")
    }
}

fn mailer(settings: &Settings, clock: &Arc<dyn Clock>) -> Arc<dyn Mailer> {
    let mail = &settings.mail;
    let Some(url) = mail.server.clone() else {
        return Arc::new(FolderMailer::new(mail.folder.clone(), mail.from.clone()));
    };
    Arc::new(smtp(mail, url, TimeLimits::default(), clock))
}

/// Creates a mailer for a mail server with the given time limits.
pub(crate) fn smtp(mail: &settings::Mail, url: SmtpUrl, limits: TimeLimits, clock: &Arc<dyn Clock>) -> SmtpMailer {
    SmtpMailer::new(url, mail.from.clone(), TrustRoots::System, limits, clock.clone())
}

/// Delivers emails one at a time.
struct DeliveryJob {
    verb: DeliverMail,
    circuit: Arc<dyn CircuitMonitor>,
    count: Count,
    clock: Arc<dyn Clock>,
    /// True if the last query failed. An unavailable store is logged once, not by every thread at every
    /// poll.
    failing: AtomicBool,
}

/// Counts emails for the metrics page, which must not wait for the database.
struct Count {
    verb: CountMail,
    load: Option<Arc<Mutex<OutboxLoad>>>,
    /// Monotonic time of the next count.
    due: Mutex<Duration>,
}

impl Count {
    fn refresh(&self, now: Duration) {
        let Some(load) = &self.load else { return };
        {
            let mut due = self.due.lock();
            if now < *due {
                return;
            }
            *due = now.saturating_add(POLL_INTERVAL);
        }
        // The delivery logs a failing store.
        if let (Ok(counts), Ok(waiting)) = (self.verb.run(), self.verb.by_occasion()) {
            *load.lock() = OutboxLoad { counts, waiting };
        }
    }
}

impl DeliveryJob {
    /// Probes the mail server while the circuit is not closed: with an empty outbox, no delivery would
    /// notice that it has recovered.
    fn probe(&self) {
        if self.circuit.status().state != CircuitState::Closed {
            // The circuit logs the outcome if it changes state.
            drop(self.verb.mailer.check());
        }
    }
}

impl Job for DeliveryJob {
    fn run(&self) -> NextStep {
        self.count.refresh(self.clock.monotonic());
        // An email that is not claimed loses no attempt.
        let circuit = self.circuit.status();
        if circuit.state == CircuitState::Open && !circuit.retry_after.is_zero() {
            return NextStep::Sleep(circuit.retry_after);
        }
        let delivery = self.verb.deliver_next();
        let failed = delivery.is_err();
        let before = self.failing.swap(failed, Ordering::Relaxed);
        match delivery {
            Ok(DeliveryOutcome::Idle) => {
                self.probe();
                NextStep::Wait
            }
            Ok(DeliveryOutcome::CircuitOpen(wait)) => NextStep::Sleep(wait),
            Ok(_) => NextStep::Continue,
            Err(error) => {
                if !before {
                    tracing::warn!(target: LOG, %error, "Email delivery waits for the database");
                }
                NextStep::Sleep(POLL_INTERVAL)
            }
        }
    }
}
