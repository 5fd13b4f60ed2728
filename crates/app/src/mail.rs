//! Wires email: outbox, renderer, mailer with its circuit breaker, and the background delivery threads.

use crate::context::AppContext;
use crate::settings::{self, Settings};
use anyhow::Context;
use parking_lot::Mutex;
use portcullis_domain::health::CircuitState;
use portcullis_hmac::HmacSigner;
use portcullis_lettre::{FolderMailer, SmtpMailer, SmtpUrl, TimeLimits, TrustRoots};
use portcullis_ports::{CircuitMonitor, Clock, Entropy, MailRenderer, Mailer, OutboxCounts, Store};
use portcullis_resilience::{Breaker, CircuitBreaker};
use portcullis_usecases::limits::Limits;
use portcullis_usecases::mail::{CountMail, DeliverMail, DeliveryOutcome, Outbox};
use portcullis_usecases::verification::OneTimeTokens;
use portcullis_worker::{Job, NextStep, Notifier, Worker, WorkerSettings};
use secrecy::ExposeSecret;
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
/// Recovery timeout of the mail circuit: interval between probes of an unavailable mail server.
const RECOVERY: Duration = Duration::from_secs(15);
/// Probe timeout of the mail circuit. Longer than a delivery can take by its own time limits.
const PROBE: Duration = Duration::from_secs(85);

/// Email parts that the composition root connects to the rest of the service.
pub(crate) struct MailService {
    pub(crate) outbox: Arc<Outbox>,
    /// Circuit around the mailer.
    pub(crate) circuit: Arc<dyn CircuitMonitor>,
    notifier: Notifier,
    mailer: Arc<dyn Mailer>,
    renderer: Arc<dyn MailRenderer>,
}

impl MailService {
    /// Creates the email parts from the settings. Sends nothing yet.
    pub(crate) fn open(
        settings: &Settings,
        entropy: Arc<dyn Entropy>,
        clock: &Arc<dyn Clock>,
        renderer: Arc<dyn MailRenderer>,
    ) -> Self {
        let notifier = Notifier::default();
        let outbox = outbox(settings, entropy, &notifier);
        let mailer = Arc::new(Breaker::new("mail", mailer(settings, clock), circuit(clock)));
        Self { outbox, circuit: mailer.clone(), notifier, mailer, renderer }
    }

    /// Starts the delivery threads.
    pub(crate) fn start(
        self,
        settings: &Settings,
        parts: &AppContext,
        store: Arc<dyn Store>,
        limits: Arc<Limits>,
    ) -> anyhow::Result<Worker> {
        let verb = DeliverMail {
            store,
            outbox: self.outbox,
            links: settings.mail.links.clone(),
            renderer: self.renderer,
            mailer: self.mailer,
            limits,
            clock: parts.clock.clone(),
        };
        let count = Count {
            verb: CountMail { store: verb.store.clone() },
            load: parts.metrics.outbox()?,
            due: Mutex::default(),
        };
        let (clock, failing) = (parts.clock.clone(), AtomicBool::new(false));
        let job = DeliveryJob { verb, circuit: self.circuit, count, clock, failing };
        let threads = if settings.mail.server.is_some() { THREADS } else { FOLDER_THREADS };
        let pace = WorkerSettings { threads, poll: POLL_INTERVAL, delay: SEND_DELAY };
        Worker::start("mail", &self.notifier, pace, Arc::new(job)).context("cannot start the mail threads")
    }
}

/// Creates the outbox, which notifies the delivery threads. One-time tokens have their own derived key.
pub(crate) fn outbox(settings: &Settings, entropy: Arc<dyn Entropy>, notifier: &Notifier) -> Arc<Outbox> {
    let secret = settings.tokens.secret.expose_secret().as_bytes();
    let authenticator = Arc::new(HmacSigner::derive(secret, "portcullis one-time tokens"));
    let tokens = Arc::new(OneTimeTokens { authenticator, entropy });
    Arc::new(Outbox { tokens, notices: settings.mail.notices.clone(), observer: Arc::new(notifier.clone()) })
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

fn circuit(clock: &Arc<dyn Clock>) -> CircuitBreaker {
    let settings = portcullis_resilience::BreakerSettings::default();
    let settings = settings.with_recovery_timeout(RECOVERY).with_probe_timeout(PROBE);
    let clock = clock.clone();
    let circuit = CircuitBreaker::builder(settings).clock(move || clock.monotonic());
    let circuit = circuit.on_transition(|transition| {
        let (from, to) = (CircuitState::from(transition.from).as_str(), CircuitState::from(transition.to).as_str());
        tracing::warn!(target: LOG, circuit = "mail", from, to, "Circuit changed");
    });
    circuit.build()
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
    load: Option<Arc<Mutex<OutboxCounts>>>,
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
        if let Ok(counted) = self.verb.run() {
            *load.lock() = counted;
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
