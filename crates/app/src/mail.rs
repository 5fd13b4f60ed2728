//! Mail, put together: who orders it, who words it, who hands it over, and the threads that see to
//! it beside the requests.

use crate::settings::{self, Settings};
use crate::wire::AppContext;
use anyhow::Context;
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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The logger of what becomes of mails.
const LOG: &str = "app.mail";
/// The lane of mail: so many are sent to a server at once, by threads of their own. No request
/// waits for one.
const THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);
/// A folder keeps nobody waiting.
const FOLDER_THREADS: NonZeroUsize = NonZeroUsize::MIN;
/// How often they look for what became due, or was stored by another replica.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// A mail is not begun before whoever caused it has an answer: how long that takes must not tell
/// whether there was a mail to make.
const SEND_DELAY: Duration = Duration::from_millis(30);
/// A mail server that was gone is looked for this often: each look is a try of a mail.
const RECOVERY: Duration = Duration::from_secs(15);
/// A delivery takes less, by its own limits.
const PROBE: Duration = Duration::from_secs(85);

/// What mail needs of the process, and gives to it.
pub(crate) struct MailService {
    /// Who orders mails.
    pub(crate) outbox: Arc<Outbox>,
    /// The circuit around whoever takes them.
    pub(crate) circuit: Arc<dyn CircuitMonitor>,
    notifier: Notifier,
    mailer: Arc<dyn Mailer>,
    renderer: Arc<dyn MailRenderer>,
}

impl MailService {
    /// Puts it together. Nothing is sent yet.
    pub(crate) fn open(settings: &Settings, entropy: Arc<dyn Entropy>, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let notifier = Notifier::default();
        let outbox = outbox(settings, entropy, &notifier);
        let mailer = Arc::new(Breaker::new("mail", mailer(settings, clock), circuit(clock)));
        let renderer = Arc::new(settings.mail.renderer(&settings.server.app_name)?);
        Ok(Self { outbox, circuit: mailer.clone(), notifier, mailer, renderer })
    }

    /// Starts to send what there is, and what will be.
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
        Worker::start("mail", &self.notifier, pace, Arc::new(job)).context("no thread for mail")
    }
}

/// Who orders mails, and rings for whoever sends them. Tokens are made under a key of their own.
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

/// Who hands mails to a mail server, within those limits.
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

/// Sends one mail after another.
struct DeliveryJob {
    verb: DeliverMail,
    circuit: Arc<dyn CircuitMonitor>,
    count: Count,
    clock: Arc<dyn Clock>,
    /// Whether the store failed the last time: that it is away is told once, and not by each
    /// thread at each look.
    failing: AtomicBool,
}

/// Counts emails for the page of metrics, which waits for no database.
struct Count {
    verb: CountMail,
    load: Option<Arc<Mutex<OutboxCounts>>>,
    /// When they are counted again.
    due: Mutex<Duration>,
}

impl Count {
    fn refresh(&self, now: Duration) {
        let Some(load) = &self.load else { return };
        {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            if now < *due {
                return;
            }
            *due = now.saturating_add(POLL_INTERVAL);
        }
        // A store that fails is reported by the delivery.
        if let Ok(counted) = self.verb.run() {
            *load.lock().unwrap_or_else(PoisonError::into_inner) = counted;
        }
    }
}

impl DeliveryJob {
    /// With no email to try, nothing would find out that the mail server is back.
    fn probe(&self) {
        if self.circuit.status().state != CircuitState::Closed {
            // The circuit logs what it makes of it.
            drop(self.verb.mailer.check());
        }
    }
}

impl Job for DeliveryJob {
    fn run(&self) -> NextStep {
        self.count.refresh(self.clock.monotonic());
        // A mail that is not taken loses no try.
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
                    tracing::warn!(target: LOG, %error, "Mails wait for the database");
                }
                NextStep::Sleep(POLL_INTERVAL)
            }
        }
    }
}
