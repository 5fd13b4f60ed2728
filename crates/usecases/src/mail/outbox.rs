//! Makes orders to send mails. Whoever orders one stores it in the transaction that causes it; who
//! sends it, and when, is left to the delivery.

use crate::verification::OneTimeTokens;
use chrono::{DateTime, Utc};
use portcullis_domain::login;
use portcullis_domain::mail::{Language, NewMail, Occasion};
use portcullis_domain::registration::{EmailAddress, PasswordHash, User, UserId};
use portcullis_domain::sessions::ClientInfo;
use portcullis_ports::{OutboxNotifier, Store, StoreError, StoreExt};
use std::sync::Arc;

/// Which notices are sent. What is no notice always is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notices(Vec<Occasion>);

impl Notices {
    /// What can be turned off.
    pub const ALL: [Occasion; 5] = [
        Occasion::PasswordChanged,
        Occasion::EmailChanged,
        Occasion::NewDevice,
        Occasion::LoginAfterFailures,
        Occasion::SessionTheft,
    ];

    /// These and no others.
    #[must_use]
    pub fn only(wanted: &[Occasion]) -> Self {
        Self(wanted.to_vec())
    }

    /// Whether a mail on that occasion is sent.
    #[must_use]
    pub fn include(&self, occasion: Occasion) -> bool {
        self.0.contains(&occasion) || !Self::ALL.contains(&occasion)
    }
}

impl Default for Notices {
    /// All of them.
    fn default() -> Self {
        Self::only(&Self::ALL)
    }
}

/// What causes a mail.
#[derive(Debug, Clone, Copy)]
pub struct MailCause<'a> {
    /// In which language whoever gets it is written to.
    pub language: Language,
    /// From where it was caused.
    pub client: &'a ClientInfo,
    /// When, in UTC.
    pub at: DateTime<Utc>,
}

/// Who makes orders.
pub struct Outbox {
    /// What seeds come from.
    pub tokens: Arc<OneTimeTokens>,
    /// Which notices are sent.
    pub notices: Notices,
    /// Who is told that there is something to send.
    pub observer: Arc<dyn OutboxNotifier>,
}

impl Outbox {
    /// An order, with a seed of its own.
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

    /// An order to tell an account's owner, at the address that the account has; none where such
    /// notices are turned off.
    #[must_use]
    pub fn new_notice(&self, occasion: Occasion, user: &User, cause: &MailCause<'_>) -> Option<NewMail> {
        self.notices.include(occasion).then(|| self.new_mail(occasion, Some(user.id), &user.email, cause))
    }

    /// Tells whoever sends mails that some were stored. For after the commit.
    pub fn notify_worker(&self) {
        self.observer.notify();
    }
}

/// Stores the order of a mail to an address that anybody may have named. It is bound to the
/// password that the address's account has now. The work is the same for every address, known or
/// not, and the mail is made later, so that the response tells nothing.
pub(crate) fn enqueue_link_mail(
    store: &dyn Store,
    outbox: &Outbox,
    occasion: Occasion,
    email: &EmailAddress,
    cause: &MailCause<'_>,
) -> Result<(), StoreError> {
    let account = login::select_account(store.read(|tx| tx.users().find_by_email(email))?, email);
    let nobodys = PasswordHash::new(String::new());
    let password = outbox.tokens.version(account.as_ref().map_or(&nobodys, |user| &user.password));
    let order = NewMail { password: Some(password), ..outbox.new_mail(occasion, None, email, cause) };
    store.write(|tx| tx.outbox().enqueue(&order))?;
    outbox.notify_worker();
    Ok(())
}
