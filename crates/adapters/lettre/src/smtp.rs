//! Sends emails to a mail server and keeps idle connections for the next.

use crate::address::Sender;
use crate::deadline::Deadline;
use crate::encoded::EncodedMail;
use crate::error::{SmtpError, SmtpStep};
use crate::session::SmtpSession;
use crate::url::SmtpUrl;
use native_tls::{Certificate, Protocol, TlsConnector};
use parking_lot::Mutex;
use portcullis_domain::mail::RenderedMail;
use portcullis_ports::{Clock, Mailer, MailerError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Maximum number of idle connections. Concurrent deliveries may open more.
const MAX_IDLE: usize = 8;

/// Timeouts of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// Connecting to one IP address of the host.
    pub connect: Duration,
    /// Waiting for the greeting: some servers look up the client first, or delay the greeting against
    /// spam.
    pub greeting: Duration,
    /// Waiting for the reply to a command, and a TLS handshake.
    pub command: Duration,
    /// A whole delivery without name resolution, for which the system has its own limits.
    pub total: Duration,
    /// Maximum age of an idle connection.
    pub idle: Duration,
}

/// 5 s to connect, 60 s for the greeting, 20 s for a command, 75 s in total; idle connections are kept
/// for 30 s.
impl Default for TimeLimits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(5), greeting: seconds(60), command: seconds(20), total: seconds(75), idle: seconds(30) }
    }
}

/// Certificate authorities trusted for the mail server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustRoots {
    /// The system's: the file in `SSL_CERT_FILE` and the folder in `SSL_CERT_DIR`, or the default
    /// locations.
    System,
    /// Only the authority with this certificate, in PEM.
    One(Vec<u8>),
}

/// Mail server and how to connect to it.
pub(crate) struct SmtpServer {
    pub(crate) url: SmtpUrl,
    pub(crate) limits: TimeLimits,
    authorities: TrustRoots,
    tls: OnceLock<TlsConnector>,
}

impl SmtpServer {
    /// Returns the TLS connector. It is created on first use, since the system's authorities take some
    /// 4 MB.
    pub(crate) fn connector(&self) -> Result<&TlsConnector, SmtpError> {
        if let Some(connector) = self.tls.get() {
            return Ok(connector);
        }
        let unusable = |_| SmtpStep::Encryption.unsupported("TLS cannot be set up");
        let mut builder = TlsConnector::builder();
        builder.min_protocol_version(Some(Protocol::Tlsv12));
        if let TrustRoots::One(pem) = &self.authorities {
            let authority = Certificate::from_pem(pem).map_err(unusable)?;
            builder.disable_built_in_roots(true).add_root_certificate(authority);
        }
        let connector = builder.build().map_err(unusable)?;
        Ok(self.tls.get_or_init(|| connector))
    }
}

/// Sends emails to one mail server.
pub struct SmtpMailer {
    server: SmtpServer,
    from: Sender,
    clock: Arc<dyn Clock>,
    kept: Mutex<Vec<IdleConnection>>,
}

/// Result of [`SmtpMailer::greet`]: whether the server is ready for emails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// The server accepts emails.
    Ready {
        /// True if the connection is encrypted.
        encrypted: bool,
    },
    /// The server accepts connections but did not greet in time.
    Slow,
}

/// Idle connection.
struct IdleConnection {
    session: SmtpSession,
    since: Duration,
}

impl SmtpMailer {
    /// Creates a mailer for the server in `url`, without connecting yet.
    #[must_use]
    pub fn new(url: SmtpUrl, from: Sender, authorities: TrustRoots, limits: TimeLimits, clock: Arc<dyn Clock>) -> Self {
        let server = SmtpServer { url, limits, authorities, tls: OnceLock::new() };
        Self { server, from, clock, kept: Mutex::default() }
    }

    /// Connects, encrypts, logs in and quits without sending an email, to check the server.
    ///
    /// # Errors
    /// Returns the cause. The text contains nothing of the URL or the credentials.
    pub fn greet(&self) -> Result<Greeting, MailerError> {
        match self.connect(self.server.limits.total) {
            Ok(session) => {
                let encrypted = session.is_encrypted();
                session.leave();
                Ok(Greeting::Ready { encrypted })
            }
            Err(trouble) if trouble.is_slow_greeting() => Ok(Greeting::Slow),
            Err(trouble) => Err(trouble.into()),
        }
    }

    fn connect(&self, whole: Duration) -> Result<SmtpSession, SmtpError> {
        SmtpSession::open(&self.server, Arc::new(Deadline::new(self.clock.clone(), whole)))
    }

    fn deliver(&self, letter: &EncodedMail) -> Result<(), SmtpError> {
        let start = self.clock.monotonic();
        if let Some(session) = self.reuse() {
            match self.send(session, letter) {
                Err(trouble) if trouble.is_stale() => {}
                outcome => return outcome,
            }
        }
        // The time spent on the stale connection counts: this sender's lease on the email is limited.
        let spent = self.clock.monotonic().saturating_sub(start);
        let session = self.connect(self.server.limits.total.saturating_sub(spent))?;
        tracing::debug!(target: "app.mail", encrypted = session.is_encrypted(), "Connected to the mail server");
        self.send(session, letter)
    }

    fn send(&self, mut session: SmtpSession, letter: &EncodedMail) -> Result<(), SmtpError> {
        let outcome = session.send(self.from.address(), letter);
        let usable = match &outcome {
            Ok(()) => true,
            Err(trouble) => trouble.is_reusable() && session.reset(),
        };
        if usable {
            self.keep(session);
        } else {
            session.leave();
        }
        outcome
    }

    /// Returns the last used connection that is not too old, or `None`.
    fn reuse(&self) -> Option<SmtpSession> {
        let now = self.clock.monotonic();
        let (session, old) = {
            let mut kept = self.kept.lock();
            let old: Vec<_> =
                kept.extract_if(.., |kept| now.saturating_sub(kept.since) > self.server.limits.idle).collect();
            (kept.pop(), old)
        };
        old.into_iter().for_each(|kept| kept.session.leave());
        let session = session?.session;
        session.deadline().restart(self.server.limits.total);
        Some(session)
    }

    fn keep(&self, session: SmtpSession) {
        let since = self.clock.monotonic();
        let mut kept = self.kept.lock();
        if kept.len() < MAX_IDLE {
            kept.push(IdleConnection { session, since });
        } else {
            drop(kept);
            session.leave();
        }
    }
}

impl Mailer for SmtpMailer {
    fn send(&self, mail: &RenderedMail) -> Result<(), MailerError> {
        let letter = EncodedMail::of(mail, &self.from)?;
        Ok(self.deliver(&letter)?)
    }

    fn check(&self) -> Result<(), MailerError> {
        let deadline = Deadline::new(self.clock.clone(), self.server.limits.total);
        self.keep(SmtpSession::open(&self.server, Arc::new(deadline))?);
        Ok(())
    }
}

impl Drop for SmtpMailer {
    fn drop(&mut self) {
        self.kept.get_mut().drain(..).for_each(|kept| kept.session.leave());
    }
}
