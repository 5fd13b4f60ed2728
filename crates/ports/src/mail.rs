//! Mail: what is kept of it until it is sent, who words it, and who hands it over.

use crate::store::StoreError;
use chrono::{DateTime, Utc};
use portcullis_domain::mail::{MailContent, NewMail, RenderedMail};
use portcullis_domain::registration::UserId;
use portcullis_domain::verification::PasswordVersion;
use std::time::Duration;

/// The number of a mail in the outbox, given by the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailId(pub i64);

/// A mail in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    /// Its number.
    pub id: MailId,
    /// What was ordered.
    pub mail: NewMail,
    /// How often it was taken, this time included.
    pub tries: u32,
    /// Whether its token was made. It is made once: a later try extends it, and where it was
    /// consumed or replaced meanwhile there is nothing left to send.
    pub token_issued: bool,
    /// When it may be taken next, in UTC.
    pub due_at: DateTime<Utc>,
    /// When it was given up, if it was, in UTC.
    pub dead_at: Option<DateTime<Utc>>,
    /// Why the last try failed, in words that hold no secret and no address.
    pub last_error: Option<String>,
}

/// How much there is in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxCounts {
    /// Mails that are to be sent.
    pub waiting: u64,
    /// Mails that were given up.
    pub dead: u64,
}

/// The mails that are to be sent, kept in the transaction that causes them.
///
/// Whoever takes a mail has it for a while alone: until the moment that it gives, nobody else is
/// given it. Every step after that names the try, and does nothing where another has it by now.
pub trait OutboxRepository {
    /// Adds a mail, due at once.
    ///
    /// # Errors
    /// [`StoreError`].
    fn enqueue(&mut self, mail: &NewMail) -> Result<(), StoreError>;

    /// Takes the mail that has been due longest at `now`, if there is one, and makes it due again
    /// at `until`; counts the try. Of any number of callers, in one process or in many, one gets
    /// it, and none waits for another. One that is unreadable is given up, and stands in nobody's
    /// way.
    ///
    /// # Errors
    /// [`StoreError`].
    fn claim_next(&mut self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Option<QueuedMail>, StoreError>;

    /// Notes that the mail's token was made.
    ///
    /// # Errors
    /// [`StoreError`].
    fn mark_token_issued(&mut self, id: MailId) -> Result<(), StoreError>;

    /// Binds the mails that are bound to one password to another: the same password, hashed anew.
    ///
    /// # Errors
    /// [`StoreError`].
    fn rebind(&mut self, old: &PasswordVersion, new: &PasswordVersion) -> Result<(), StoreError>;

    /// Removes a mail that was sent at that try, or has nothing to say any more; whether it did.
    ///
    /// # Errors
    /// [`StoreError`].
    fn remove(&mut self, id: MailId, tries: u32) -> Result<bool, StoreError>;

    /// Makes a mail due later, after that try failed; whether it did.
    ///
    /// # Errors
    /// [`StoreError`].
    fn postpone(&mut self, id: MailId, tries: u32, due_at: DateTime<Utc>, error: &str) -> Result<bool, StoreError>;

    /// Gives a mail up, after that try failed; whether it did. It is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    fn mark_dead(&mut self, id: MailId, tries: u32, at: DateTime<Utc>, error: &str) -> Result<bool, StoreError>;

    /// Makes a mail due at `now`, as if it had been caused then and never tried, one that was
    /// given up as well; whether there is one with that number. Its token is to be made again: the
    /// one that was made may have expired, and be gone.
    ///
    /// # Errors
    /// [`StoreError`].
    fn retry(&mut self, id: MailId, now: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Up to `limit` mails with greater numbers than `after`, given up or not, in the order of
    /// their numbers.
    ///
    /// # Errors
    /// [`StoreError`].
    fn list(&mut self, after: Option<MailId>, limit: u32) -> Result<Vec<QueuedMail>, StoreError>;

    /// How many there are; counted up to `limit` of each kind.
    ///
    /// # Errors
    /// [`StoreError`].
    fn count(&mut self, limit: u32) -> Result<OutboxCounts, StoreError>;

    /// Removes every mail of an account.
    ///
    /// # Errors
    /// [`StoreError`].
    fn delete_for_user(&mut self, user_id: UserId) -> Result<(), StoreError>;

    /// Deletes up to `limit` mails that were given up at `cutoff` or before; how many it deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    fn purge(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError>;
}

/// Words mails.
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
    /// The mail that says what the message has to say, in its language.
    ///
    /// # Errors
    /// [`RenderError`], for a template that is broken.
    fn render(&self, message: &MailContent) -> Result<RenderedMail, RenderError>;
}

/// A template is broken. Holds nothing of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a mail template cannot be used: {0}")]
pub struct RenderError(pub String);

/// Hands mails over to whoever delivers them.
pub trait Mailer: Send + Sync {
    /// Sends a mail to its one recipient. `Ok` means that somebody else has taken it over, for
    /// good: that it arrives is beyond anybody's knowledge.
    ///
    /// # Errors
    /// [`MailerError`]. Whether the mail was taken over is unknown where it is
    /// [`Unavailable`](MailerError::Unavailable); a mail that comes twice has one `MailContent-ID`.
    fn send(&self, mail: &RenderedMail) -> Result<(), MailerError>;

    /// Checks whether emails would be taken now. Sends none.
    ///
    /// # Errors
    /// [`MailerError`].
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

/// Why a mail was not sent. Holds no address, no password and nothing of the mail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailerError {
    /// The mail server cannot be reached, does not let the service in, did not answer in time, or
    /// takes nothing for now.
    #[error("the mail server is unavailable: {0}")]
    Unavailable(String),
    /// The mail server put off this one mail (a reply of the kind 4xx, RFC 5321 §4.2.1). No
    /// outage, for others may go through.
    #[error("the mail was put off: {0}")]
    Deferred(String),
    /// The mail server will never take this one mail (a reply of the kind 5xx).
    #[error("the mail was refused: {0}")]
    Refused(String),
    /// A circuit breaker refused the call.
    #[error("the circuit of the mail server is open")]
    CircuitOpen {
        /// How long until it lets a call through again.
        retry_after: Duration,
    },
}

impl MailerError {
    /// Whether the mail server itself is at fault: what a circuit breaker counts.
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

/// Is told that mails were stored, after their transaction: whoever sends them need not look
/// for them all the time.
pub trait OutboxNotifier: Send + Sync {
    /// There may be something to send.
    fn notify(&self);
}
