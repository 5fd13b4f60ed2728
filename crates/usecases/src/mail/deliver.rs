//! Sends one mail of the outbox: takes it, words it, hands it over, and remembers what came of it.
//! When to look for one is left to the worker.

use super::prepare::PreparedMail;
use super::{Links, Outbox};
use crate::failure::DependencyError;
use crate::limits::{LimitError, Limits};
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::limits::{Budget, LimitSubject};
use portcullis_domain::mail::{DEFAULT_RETRY_POLICY, Occasion, RetryDecision};
use portcullis_ports::{
    Clock, MailId, MailRenderer, Mailer, MailerError, QueuedMail, RenderError, Store, StoreError, StoreExt,
};
use std::sync::Arc;
use std::time::Duration;

/// The logger of what became of mails.
const MAIL_LOG: &str = "app.mail";

/// How long a mail is its taker's alone: longer than a mail server may take to answer.
const LEASE: TimeDelta = TimeDelta::seconds(90);
/// The shortest rest while the circuit of the mail server is open.
const MIN_BACKOFF: Duration = Duration::from_secs(1);

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Nothing is due.
    Idle,
    /// A mail was handed over.
    Sent(MailId),
    /// A mail had nothing to say any more, or was one too many for its address.
    Dropped(MailId),
    /// A mail is tried again at that moment, in UTC.
    Postponed(MailId, DateTime<Utc>),
    /// A mail was given up, and is kept for whoever looks into it.
    GaveUp(MailId),
    /// The circuit of the mail server is open: before that time is over there is nothing to do.
    CircuitOpen(Duration),
}

/// The verb.
pub struct DeliverMail {
    /// Where mails are kept.
    pub store: Arc<dyn Store>,
    /// What makes their tokens.
    pub outbox: Arc<Outbox>,
    /// The pages that their links open.
    pub links: Links,
    /// What words them.
    pub renderer: Arc<dyn MailRenderer>,
    /// What hands them over.
    pub mailer: Arc<dyn Mailer>,
    /// How many of them one address gets.
    pub limits: Arc<Limits>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why a mail was not handed over.
enum Undelivered {
    Unwordable(RenderError),
    Unsent(MailerError),
}

impl DeliverMail {
    /// Sends the mail that has been due longest, if there is one. A crash at any moment loses none:
    /// one that was not settled is due again, once nobody can still be sending it.
    ///
    /// # Errors
    /// [`DependencyError`] of the store. A mail that was handed over already may come twice then.
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
        match taken {
            None => Ok(DeliveryOutcome::Idle),
            Some((mail, None)) => Ok(dropped(&mail)),
            Some((mail, Some(letter))) if !self.is_affordable(&mail, &letter) => {
                self.store.write(|tx| tx.outbox().remove(mail.id, mail.tries))?;
                Ok(dropped(&mail))
            }
            Some((mail, Some(letter))) => self.settle(&mail, self.send(&letter)),
        }
    }

    /// Whether its address may get it. What a budget was asked for when it was ordered is not
    /// asked for again, nor is a mail that is tried again; and no flood keeps an owner from
    /// hearing that the password or the address was changed.
    fn is_affordable(&self, mail: &QueuedMail, PreparedMail { message, user }: &PreparedMail) -> bool {
        let draws = match mail.mail.occasion {
            Occasion::VerifyEmail => mail.mail.user_id.is_some(),
            Occasion::NewDevice | Occasion::LoginAfterFailures | Occasion::SessionTheft => true,
            // Anybody can name an address at registration, and change the password all day.
            Occasion::PasswordChanged => user.email_verified_at.is_none(),
            Occasion::ResetPassword | Occasion::ConfirmEmail | Occasion::EmailChanged => false,
        };
        if !draws || mail.tries > 1 {
            return true;
        }
        // Apart from what is asked for: an answer to whoever asks must not tell that there were others.
        // A verified address has a budget for each kind of notice: one kind never hides another. An
        // address that was never verified may be a stranger's and gets few emails of all kinds.
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
                // Nobody was asked: it waits for the server alone, and not for its own turn as well.
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
        Ok(DeliveryOutcome::Postponed(mail.id, due_at))
    }

    fn give_up(&self, mail: &QueuedMail, at: DateTime<Utc>, reason: &str) -> Result<DeliveryOutcome, DependencyError> {
        self.store.write(|tx| tx.outbox().mark_dead(mail.id, mail.tries, at, reason))?;
        let (mail_id, occasion, tries) = (mail.id.0, mail.mail.occasion.as_str(), mail.tries);
        let user_id = mail.mail.user_id.map(|id| id.get());
        tracing::error!(target: MAIL_LOG, mail_id, occasion, user_id, tries, reason, "Mail given up");
        Ok(DeliveryOutcome::GaveUp(mail.id))
    }
}

fn dropped(mail: &QueuedMail) -> DeliveryOutcome {
    tracing::debug!(target: MAIL_LOG, mail_id = mail.id.0, occasion = mail.mail.occasion.as_str(), "Mail dropped");
    DeliveryOutcome::Dropped(mail.id)
}
