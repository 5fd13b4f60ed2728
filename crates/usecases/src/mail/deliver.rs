//! Sends one email of the outbox: claims it, renders it, sends it and records the outcome. The worker
//! decides when to poll.

use super::prepare::PreparedMail;
use super::{Links, Outbox};
use crate::failure::DependencyError;
use crate::limits::{LimitError, Limits};
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::limits::{Budget, LimitSubject};
use portcullis_domain::mail::{DEFAULT_RETRY_POLICY, Occasion, RetryDecision};
use portcullis_ports::{
    Clock, MailEvent, MailId, MailObserver, MailRenderer, Mailer, MailerError, QueuedMail, RenderError, Store,
    StoreError, StoreExt,
};
use std::sync::Arc;
use std::time::Duration;

/// Logger for the outcomes of emails.
const MAIL_LOG: &str = "app.mail";

/// Lease of a claimed email, longer than a mail server may take to respond.
const LEASE: TimeDelta = TimeDelta::seconds(90);
/// Minimum delay while the mail server's circuit is open.
const MIN_BACKOFF: Duration = Duration::from_secs(1);

/// Outcome of one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// No email is due.
    Idle,
    /// The mail server accepted an email.
    Sent(MailId),
    /// An email was deleted unsent: it is no longer needed, or its address has spent its budget.
    Dropped(MailId),
    /// Sending failed; the email is retried at this time, in UTC.
    Postponed(MailId, DateTime<Utc>),
    /// An email became dead. It is kept for an operator.
    GaveUp(MailId),
    /// The mail server's circuit is open for this time, so no email can be sent earlier.
    CircuitOpen(Duration),
}

/// Sends the email that has been due longest.
pub struct DeliverMail {
    /// Store of the outbox.
    pub store: Arc<dyn Store>,
    /// Outbox, whose seeds the emails' tokens are derived from.
    pub outbox: Arc<Outbox>,
    /// Page URLs for the links.
    pub links: Links,
    /// Renderer of the emails.
    pub renderer: Arc<dyn MailRenderer>,
    /// Transport that sends the emails.
    pub mailer: Arc<dyn Mailer>,
    /// Limit on emails to one address.
    pub limits: Arc<Limits>,
    /// Observer of the outcomes.
    pub observer: Arc<dyn MailObserver>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

/// Reason why an email was not sent.
enum Undelivered {
    Unwordable(RenderError),
    Unsent(MailerError),
}

impl DeliverMail {
    /// Sends the email that has been due longest, if any. A crash loses none: an email whose outcome
    /// was not recorded is due again once its lease has expired.
    ///
    /// # Errors
    /// Returns the store's [`DependencyError`]. An email that was already sent may then be sent again.
    pub fn deliver_next(&self) -> Result<DeliveryOutcome, DependencyError> {
        let now = self.clock.now();
        let until = now.checked_add_signed(LEASE).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let taken = self.store.write(|tx| {
            let Some(mail) = tx.outbox().claim_next(now, until)? else { return Ok::<_, StoreError>(None) };
            let letter = self.prepare(&mail, now, tx)?;
            if letter.is_none() {
                tx.outbox().remove(mail.id, mail.tries)?;
            }
            Ok(Some((mail, letter)))
        })?;
        if let Some((mail, _)) = taken.as_ref().filter(|(mail, _)| mail.tries == 1) {
            self.observe(mail, MailEvent::Started);
        }
        match taken {
            None => Ok(DeliveryOutcome::Idle),
            Some((mail, None)) => Ok(self.dropped(&mail)),
            Some((mail, Some(letter))) if !self.is_affordable(&mail, &letter) => {
                self.store.write(|tx| tx.outbox().remove(mail.id, mail.tries))?;
                Ok(self.dropped(&mail))
            }
            Some((mail, Some(letter))) => self.settle(&mail, self.send(&letter)),
        }
    }

    /// Returns whether the recipient's budget permits the email, and charges it. Emails that were
    /// charged when they were requested, and retries, are not charged again. Notices of a changed
    /// password, email, second factor, identity or passkey are never limited for a verified address.
    fn is_affordable(&self, mail: &QueuedMail, PreparedMail { message, user }: &PreparedMail) -> bool {
        let draws = match mail.mail.occasion {
            Occasion::VerifyEmail => mail.mail.user_id.is_some(),
            Occasion::NewDevice | Occasion::LoginAfterFailures | Occasion::SessionTheft => true,
            // Anyone can register this address and change how to sign in all day.
            Occasion::PasswordChanged
            | Occasion::FactorAdded
            | Occasion::FactorRemoved
            | Occasion::RecoveryCodeUsed
            | Occasion::IdentityLinked
            | Occasion::IdentityUnlinked
            | Occasion::PasskeyAdded
            | Occasion::PasskeyRemoved => user.email_verified_at.is_none(),
            Occasion::ResetPassword | Occasion::ConfirmEmail | Occasion::EmailChanged => false,
        };
        if !draws || mail.tries > 1 {
            return true;
        }
        // Separate from the budget of requested emails: its responses must not reveal that notices were
        // sent. A verified address has a budget per kind of notice, so that one kind never hides
        // another. An unverified address may be another person's and gets few emails of all kinds.
        let kind = if user.email_verified_at.is_some() { mail.mail.occasion.as_str() } else { "" };
        let unasked = format!("unasked/{kind}/{}", message.to.canonical());
        match self.limits.admit(&[(Budget::Mail, LimitSubject::Bytes(unasked.as_bytes()))]) {
            Ok(admission) => admission.commit(),
            Err(LimitError::Limited(_)) => return false,
            Err(LimitError::Failed(error)) => tracing::warn!(target: MAIL_LOG, %error, "A mail was not counted"),
        }
        true
    }

    fn send(&self, letter: &PreparedMail) -> Result<(), Undelivered> {
        let mail = self.renderer.render(&letter.message).map_err(Undelivered::Unwordable)?;
        self.mailer.send(&mail).map_err(Undelivered::Unsent)
    }

    fn settle(&self, mail: &QueuedMail, outcome: Result<(), Undelivered>) -> Result<DeliveryOutcome, DependencyError> {
        let now = self.clock.now();
        let next = DEFAULT_RETRY_POLICY.next(mail.tries, mail.mail.created_at, now);
        match (outcome, next) {
            (Ok(()), _) => self.sent(mail),
            (Err(Undelivered::Unwordable(error)), _) => self.give_up(mail, now, &error.to_string()),
            (Err(Undelivered::Unsent(error @ MailerError::Refused(_))), _) => {
                self.give_up(mail, now, &error.to_string())
            }
            (Err(Undelivered::Unsent(error)), RetryDecision::Never) => self.give_up(mail, now, &error.to_string()),
            (Err(Undelivered::Unsent(error @ MailerError::CircuitOpen { retry_after })), _) => {
                // The server was not contacted, so the email waits for the circuit only, without its
                // own backoff.
                let rest = retry_after.max(MIN_BACKOFF);
                let wait = TimeDelta::from_std(rest)
                    .unwrap_or(DEFAULT_RETRY_POLICY.longest_wait)
                    .min(DEFAULT_RETRY_POLICY.longest_wait);
                self.postpone(mail, now.checked_add_signed(wait).unwrap_or(now), &error)?;
                Ok(DeliveryOutcome::CircuitOpen(rest))
            }
            (Err(Undelivered::Unsent(error)), RetryDecision::At(due_at)) => self.postpone(mail, due_at, &error),
        }
    }

    fn sent(&self, mail: &QueuedMail) -> Result<DeliveryOutcome, DependencyError> {
        let (mail_id, occasion) = (mail.id.0, mail.mail.occasion.as_str());
        let user_id = mail.mail.user_id.map(|id| id.get());
        let settled = self.store.write(|tx| tx.outbox().remove(mail.id, mail.tries));
        match &settled {
            Ok(true) => tracing::info!(target: MAIL_LOG, mail_id, occasion, user_id, "Mail sent"),
            _ => tracing::warn!(target: MAIL_LOG, mail_id, occasion, user_id, "Mail sent, and may be sent again"),
        }
        self.observe(mail, MailEvent::Sent);
        settled?;
        Ok(DeliveryOutcome::Sent(mail.id))
    }

    fn postpone(
        &self,
        mail: &QueuedMail,
        due_at: DateTime<Utc>,
        error: &MailerError,
    ) -> Result<DeliveryOutcome, DependencyError> {
        let reason = error.to_string();
        self.store.write(|tx| tx.outbox().postpone(mail.id, mail.tries, due_at, &reason))?;
        let (mail_id, occasion, tries) = (mail.id.0, mail.mail.occasion.as_str(), mail.tries);
        tracing::warn!(target: MAIL_LOG, mail_id, occasion, tries, reason, "Mail not sent yet");
        self.observe(mail, MailEvent::Postponed);
        Ok(DeliveryOutcome::Postponed(mail.id, due_at))
    }

    fn give_up(&self, mail: &QueuedMail, at: DateTime<Utc>, reason: &str) -> Result<DeliveryOutcome, DependencyError> {
        self.store.write(|tx| tx.outbox().mark_dead(mail.id, mail.tries, at, reason))?;
        let (mail_id, occasion, tries) = (mail.id.0, mail.mail.occasion.as_str(), mail.tries);
        let user_id = mail.mail.user_id.map(|id| id.get());
        tracing::error!(target: MAIL_LOG, mail_id, occasion, user_id, tries, reason, "Mail given up");
        self.observe(mail, MailEvent::Dead);
        Ok(DeliveryOutcome::GaveUp(mail.id))
    }

    fn dropped(&self, mail: &QueuedMail) -> DeliveryOutcome {
        tracing::debug!(target: MAIL_LOG, mail_id = mail.id.0, occasion = mail.mail.occasion.as_str(), "Mail dropped");
        self.observe(mail, MailEvent::Dropped);
        DeliveryOutcome::Dropped(mail.id)
    }

    fn observe(&self, mail: &QueuedMail, event: MailEvent) {
        self.observer.on_mail(mail.mail.occasion, event);
    }
}
