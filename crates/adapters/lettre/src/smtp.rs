//! Hands mails to a mail server, over connections that are kept for the next.

use crate::address::Sender;
use crate::deadline::Deadline;
use crate::encoded::EncodedMail;
use crate::error::{SmtpError, SmtpStep};
use crate::session::SmtpSession;
use crate::url::SmtpUrl;
use native_tls::{Certificate, Protocol, TlsConnector};
use portcullis_domain::mail::RenderedMail;
use portcullis_ports::{Clock, Mailer, MailerError};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// The most connections that are kept; more are made where more are needed at once.
const MAX_IDLE: usize = 8;

/// How long what may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// A connection to one address of the host.
    pub connect: Duration,
    /// The server's greeting: some look a client up first, or keep it waiting against spam.
    pub greeting: Duration,
    /// An answer to a command, and a TLS handshake.
    pub command: Duration,
    /// A delivery from its beginning to its end, the finding of the host's addresses apart, for
    /// which the system has limits of its own.
    pub total: Duration,
    /// A connection that waits for another mail.
    pub idle: Duration,
}

/// 5 s to connect, 60 s for the greeting, 20 s for a command, 75 s in all; connections are kept for 30 s.
impl Default for TimeLimits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(5), greeting: seconds(60), command: seconds(20), total: seconds(75), idle: seconds(30) }
    }
}

/// Who may vouch for the mail server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustRoots {
    /// Those that the machine trusts: the file that `SSL_CERT_FILE` names and the folder that
    /// `SSL_CERT_DIR` names, or where the system keeps them.
    System,
    /// The one with this certificate, in PEM.
    One(Vec<u8>),
}

/// A mail server, and what is needed to speak to it.
pub(crate) struct SmtpServer {
    pub(crate) url: SmtpUrl,
    pub(crate) limits: TimeLimits,
    authorities: TrustRoots,
    tls: OnceLock<TlsConnector>,
}

impl SmtpServer {
    /// What speaks TLS to it. Made when it is needed: the machine's authorities take some 4 MB.
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

/// Sends mails to one mail server.
pub struct SmtpMailer {
    server: SmtpServer,
    from: Sender,
    clock: Arc<dyn Clock>,
    kept: Mutex<Vec<IdleConnection>>,
}

/// What a mail server says before any mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// It takes mails.
    Ready {
        /// Whether over TLS.
        encrypted: bool,
    },
    /// It accepts connections and has not greeted in time.
    Slow,
}

/// A connection that waits for another mail.
struct IdleConnection {
    session: SmtpSession,
    since: Duration,
}

impl SmtpMailer {
    /// A mailer to that server; nothing is said to it yet.
    #[must_use]
    pub fn new(url: SmtpUrl, from: Sender, authorities: TrustRoots, limits: TimeLimits, clock: Arc<dyn Clock>) -> Self {
        let server = SmtpServer { url, limits, authorities, tls: OnceLock::new() };
        Self { server, from, clock, kept: Mutex::default() }
    }

    /// Connects, encrypts and logs in, sends nothing and leaves: for a look at the server.
    ///
    /// # Errors
    /// What went wrong, in words that hold nothing of the address or the credentials.
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
        // What the other connection took counts: the mail is this sender's alone for a limited time.
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

    /// The connection that was used last, if it is not too old.
    fn reuse(&self) -> Option<SmtpSession> {
        let now = self.clock.monotonic();
        let (session, old) = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
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
        let kept = self.kept.get_mut().unwrap_or_else(PoisonError::into_inner);
        kept.drain(..).for_each(|kept| kept.session.leave());
    }
}
