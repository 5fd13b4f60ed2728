//! Caller of a use case.

use crate::mail::MailCause;
use chrono::{DateTime, Utc};
use portcullis_domain::limits::Source;
use portcullis_domain::mail::Language;
use portcullis_domain::sessions::{ClientInfo, EndReason, SessionEnd};
use portcullis_ports::CancellationToken;

/// Where a call comes from, and whether its caller still waits. The default is an operator, or a test:
/// an unknown client that never disconnects.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// IP address and User-Agent of the client.
    pub client: ClientInfo,
    /// Language of emails that the call causes.
    pub language: Language,
    /// Device cookie, if the client sent one.
    pub device: Option<String>,
    /// Cancelled once the caller no longer waits. A hash that has not started is then skipped.
    pub cancellation: CancellationToken,
    /// `true` if the source was already charged for the call.
    pub is_charged: bool,
    /// `true` if a browser must forget the tokens of a session that the call begins when it closes.
    pub forget: bool,
}

impl Caller {
    /// Sets how to find out whether the caller still waits for the response.
    #[must_use]
    pub fn waiting_while(self, still_wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { cancellation: CancellationToken::cancelled_unless(still_wanted), ..self }
    }

    /// Returns the caller of a second attempt, without the device cookie. The source is not charged
    /// again.
    #[must_use]
    pub fn as_unknown_device(&self) -> Self {
        Self { device: None, is_charged: true, ..self.clone() }
    }

    /// Returns the caller of the second step of a login, which also remembers what the first one wanted.
    #[must_use]
    pub(crate) fn forgetting(&self, forget: bool) -> Self {
        Self { forget: self.forget || forget, ..self.clone() }
    }

    /// Returns the source that the call is charged to, or `None` if the IP address is unknown.
    pub(crate) fn source(&self) -> Option<Source> {
        self.client.ip_address.map(Source::from_ip)
    }

    /// Returns the cause of an email.
    pub(crate) fn cause(&self, at: DateTime<Utc>) -> MailCause<'_> {
        MailCause { language: self.language, client: &self.client, at }
    }

    /// Returns the end of a session that this call ends.
    pub(crate) fn session_end(&self, reason: EndReason, at: DateTime<Utc>) -> SessionEnd {
        SessionEnd { at, reason, client: self.client.clone() }
    }
}
