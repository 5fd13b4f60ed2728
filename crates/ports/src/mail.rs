//! Email: outbox, renderer, mailer and notifier.

use crate::store::StoreError;
use chrono::{DateTime, Utc};
use portcullis_domain::mail::{MailContent, NewMail, Occasion, RenderedMail};
use portcullis_domain::registration::UserId;
use portcullis_domain::verification::PasswordVersion;
use std::time::Duration;

/// Id of an email in the outbox, assigned by the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailId(pub i64);

/// Email in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    /// Id.
    pub id: MailId,
    /// Email as queued.
    pub mail: NewMail,
    /// Number of attempts, including the current one.
    pub tries: u32,
    /// True if the token was issued. It is issued once, and later attempts extend it. If it was used or
    /// replaced in the meantime, there is nothing left to send.
    pub token_issued: bool,
    /// Time of the next attempt, in UTC.
    pub due_at: DateTime<Utc>,
    /// Time when the email became dead, in UTC; `None` if it is not.
    pub dead_at: Option<DateTime<Utc>>,
    /// Reason why the last attempt failed. Contains no secrets and no email addresses.
    pub last_error: Option<String>,
}

/// Number of emails in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxCounts {
    /// Emails to be sent.
    pub waiting: u64,
    /// Dead emails.
    pub dead: u64,
}

/// Transactional outbox: stores emails until they are sent. An email is added in the same transaction
/// as the change that causes it.
///
/// [`claim_next`](Self::claim_next) leases an email to one sender: no other sender gets it until the
/// lease expires. Methods that end an attempt take its number (`tries`), and do nothing if a later
/// attempt has started. Every method returns [`StoreError`] if the store fails.
pub trait OutboxRepository {
    /// Adds an email, due immediately.
    fn enqueue(&mut self, mail: &NewMail) -> Result<(), StoreError>;

    /// Claims the email that has been due longest at `now`, and counts the attempt. The lease ends at
    /// `until`, when the email is due again. Returns `None` if no email is due. Exactly one concurrent
    /// caller, in any process, gets an email, and callers never wait for each other. An unreadable
    /// email becomes dead, so that it blocks no others.
    fn claim_next(&mut self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Option<QueuedMail>, StoreError>;

    /// Records that the token of the email was issued.
    fn mark_token_issued(&mut self, id: MailId) -> Result<(), StoreError>;

    /// Replaces password version `old` by `new` in all emails bound to it, because the same password
    /// was rehashed.
    fn rebind(&mut self, old: &PasswordVersion, new: &PasswordVersion) -> Result<(), StoreError>;

    /// Deletes an email that this attempt sent, or that has nothing left to send. Returns whether the
    /// email was deleted.
    fn remove(&mut self, id: MailId, tries: u32) -> Result<bool, StoreError>;

    /// Schedules the next attempt at `due_at` after this attempt failed. Returns whether it was
    /// scheduled.
    fn postpone(&mut self, id: MailId, tries: u32, due_at: DateTime<Utc>, error: &str) -> Result<bool, StoreError>;

    /// Marks an email as dead after this attempt failed. Returns whether it was marked. The email is
    /// kept.
    fn mark_dead(&mut self, id: MailId, tries: u32, at: DateTime<Utc>, error: &str) -> Result<bool, StoreError>;

    /// Makes an email due at `now`, as if it were new. Works for dead emails, too. Returns whether the
    /// email exists. Its token will be issued again, because the previous one may have expired and been
    /// deleted.
    fn retry(&mut self, id: MailId, now: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Lists up to `limit` emails with ids greater than `after`, dead or not, ordered by id.
    fn list(&mut self, after: Option<MailId>, limit: u32) -> Result<Vec<QueuedMail>, StoreError>;

    /// Counts waiting and dead emails, up to `limit` of each.
    fn count(&mut self, limit: u32) -> Result<OutboxCounts, StoreError>;

    /// Counts waiting emails by occasion, up to `limit` in total. Omits occasions without any, and those of a
    /// newer release.
    fn count_by_occasion(&mut self, limit: u32) -> Result<Vec<(Occasion, u64)>, StoreError>;

    /// Deletes all emails of an account.
    fn delete_for_user(&mut self, user_id: UserId) -> Result<(), StoreError>;

    /// Deletes up to `limit` emails that became dead at or before `cutoff`. Returns the number of
    /// deleted emails.
    fn purge(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError>;
}

/// Renders emails.
///
/// ```
/// use portcullis_domain::mail::MailContent;
/// use portcullis_ports::{Mailer, MailRenderer};
/// fn send(message: &MailContent, renderer: &dyn MailRenderer, mailer: &dyn Mailer) -> Result<(), String> {
///     let mail = renderer.render(message).map_err(|error| error.to_string())?;
///     mailer.send(&mail).map_err(|error| error.to_string())
/// }
/// ```
pub trait MailRenderer: Send + Sync {
    /// Renders an email in its language.
    ///
    /// # Errors
    /// Returns [`RenderError`] if a template is broken.
    fn render(&self, message: &MailContent) -> Result<RenderedMail, RenderError>;
}

/// Error: a template is broken. Contains no part of the email.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a mail template cannot be used: {0}")]
pub struct RenderError(pub String);

/// Sends emails.
pub trait Mailer: Send + Sync {
    /// Sends an email to its only recipient. `Ok` means that the mail server accepted it; the final
    /// delivery is unknown.
    ///
    /// # Errors
    /// Returns [`MailerError`] if the email was not accepted. After
    /// [`Unavailable`](MailerError::Unavailable) it may still have been accepted. A duplicate then has
    /// the same `Message-ID`.
    fn send(&self, mail: &RenderedMail) -> Result<(), MailerError>;

    /// Checks whether the mail server would accept emails now. Sends none.
    ///
    /// # Errors
    /// Returns [`MailerError`] if it would not.
    fn check(&self) -> Result<(), MailerError>;
}

impl<M: Mailer + ?Sized> Mailer for std::sync::Arc<M> {
    fn send(&self, mail: &RenderedMail) -> Result<(), MailerError> {
        (**self).send(mail)
    }

    fn check(&self) -> Result<(), MailerError> {
        (**self).check()
    }
}

/// Reason why an email was not sent. Never contains an email address, a password or a part of the
/// email.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailerError {
    /// The mail server is unreachable, refuses the login, did not respond in time, or accepts no emails
    /// for now.
    #[error("the mail server is unavailable: {0}")]
    Unavailable(String),
    /// The mail server deferred this email (reply 4xx, RFC 5321 §4.2.1). Not an outage, because it may
    /// accept other emails.
    #[error("the mail was put off: {0}")]
    Deferred(String),
    /// The mail server refused this email permanently (reply 5xx).
    #[error("the mail was refused: {0}")]
    Refused(String),
    /// The circuit breaker refused the call.
    #[error("the circuit of the mail server is open")]
    CircuitOpen {
        /// Time until it lets a call through.
        retry_after: Duration,
    },
}

impl MailerError {
    /// Returns whether the mail server itself is at fault. Circuit breakers count only these errors.
    ///
    /// ```
    /// use portcullis_ports::MailerError;
    /// assert!(MailerError::Unavailable("connection refused".into()).is_outage());
    /// assert!(!MailerError::Refused("550".into()).is_outage());
    /// ```
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Wakes the delivery worker. Called after a transaction that queued emails has committed, so that the
/// worker does not have to poll frequently.
pub trait OutboxNotifier: Send + Sync {
    /// Signals that the outbox may have emails to send.
    fn notify(&self);
}

/// Ignores notifications.
impl OutboxNotifier for () {
    fn notify(&self) {}
}
