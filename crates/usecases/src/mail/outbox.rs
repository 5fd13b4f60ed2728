//! Creates emails for the outbox. The use case stores them in the transaction of the change that
//! causes them; the delivery worker sends them later.

use crate::verification::OneTimeTokens;
use chrono::{DateTime, Utc};
use portcullis_domain::mail::{Language, NewMail, Occasion};
use portcullis_domain::registration::{EmailAddress, User, UserId};
use portcullis_domain::sessions::ClientInfo;
use portcullis_ports::{OutboxNotifier, StoreError, Tx};
use std::sync::Arc;

/// Set of enabled notices (security notifications to the owner). Other emails are always sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notices(Vec<Occasion>);

impl Notices {
    /// Notices that can be disabled.
    pub const ALL: [Occasion; 12] = [
        Occasion::PasswordChanged,
        Occasion::EmailChanged,
        Occasion::NewDevice,
        Occasion::LoginAfterFailures,
        Occasion::SessionTheft,
        Occasion::FactorAdded,
        Occasion::FactorRemoved,
        Occasion::RecoveryCodeUsed,
        Occasion::IdentityLinked,
        Occasion::IdentityUnlinked,
        Occasion::PasskeyAdded,
        Occasion::PasskeyRemoved,
    ];

    /// Creates a set with only these notices.
    #[must_use]
    pub fn only(wanted: &[Occasion]) -> Self {
        Self(wanted.to_vec())
    }

    /// Returns whether emails for the occasion are sent.
    #[must_use]
    pub fn include(&self, occasion: Occasion) -> bool {
        self.0.contains(&occasion) || !Self::ALL.contains(&occasion)
    }
}

impl Default for Notices {
    /// Enables all notices.
    fn default() -> Self {
        Self::only(&Self::ALL)
    }
}

/// Cause of an email.
#[derive(Debug, Clone, Copy)]
pub struct MailCause<'a> {
    /// Language of the email.
    pub language: Language,
    /// Client that caused it.
    pub client: &'a ClientInfo,
    /// Time of the cause, in UTC.
    pub at: DateTime<Utc>,
}

/// Creates emails for the outbox.
pub struct Outbox {
    /// Factory of the token seeds.
    pub tokens: Arc<OneTimeTokens>,
    /// Enabled notices.
    pub notices: Notices,
    /// Wakes the delivery worker when emails were stored.
    pub observer: Arc<dyn OutboxNotifier>,
}

impl Outbox {
    /// Creates an email with its own token seed.
    #[must_use]
    pub fn new_mail(
        &self,
        occasion: Occasion,
        user_id: Option<UserId>,
        to: &EmailAddress,
        cause: &MailCause<'_>,
    ) -> NewMail {
        let (seed, client) = (self.tokens.seed(), cause.client.clone());
        let (to, language, created_at) = (to.clone(), cause.language, cause.at);
        NewMail { occasion, user_id, to, language, seed, password: None, client, created_at }
    }

    /// Creates a notice to the account's current email, or returns `None` if such notices are disabled.
    #[must_use]
    pub fn new_notice(&self, occasion: Occasion, user: &User, cause: &MailCause<'_>) -> Option<NewMail> {
        self.notices.include(occasion).then(|| self.new_mail(occasion, Some(user.id), &user.email, cause))
    }

    /// Queues a notice to the account's current email, unless such notices are disabled.
    pub(crate) fn enqueue_notice(
        &self,
        occasion: Occasion,
        user: &User,
        cause: &MailCause<'_>,
        tx: &mut dyn Tx,
    ) -> Result<(), StoreError> {
        self.new_notice(occasion, user, cause).map_or(Ok(()), |notice| tx.outbox().enqueue(&notice))
    }

    /// Notifies the worker of stored emails. Call it after the commit.
    pub fn notify_worker(&self) {
        self.observer.notify();
    }
}
