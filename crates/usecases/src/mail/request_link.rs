//! Sends an email with a link to an address that anyone may have entered.

use super::Outbox;
use crate::caller::Caller;
use crate::counted::Counted;
use crate::failure::UseCaseError;
use crate::limits::{Admission, Attempt, LimitError, Limits};
use portcullis_domain::login;
use portcullis_domain::mail::{NewMail, Occasion};
use portcullis_domain::registration::{EmailAddress, PasswordHash};
use portcullis_ports::{Clock, Store, StoreExt};
use std::convert::Infallible;
use std::sync::Arc;

/// An email is queued. It is sent only if the address has an account that needs it.
#[derive(Debug)]
pub struct LinkRequested;

/// Error of a request for a link.
pub type RequestLinkError = UseCaseError<Infallible>;

/// Sends the link to verify an email address, or to reset a password.
pub struct RequestLink {
    /// [`Occasion::VerifyEmail`] or [`Occasion::ResetPassword`].
    pub occasion: Occasion,
    /// Store of the outbox.
    pub store: Arc<dyn Store>,
    /// Outbox for the email.
    pub outbox: Arc<Outbox>,
    /// Rate limits.
    pub limits: Arc<Limits>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl Counted for RequestLink {
    /// Email address as entered.
    type Input = EmailAddress;
    type Output = LinkRequested;
    type Reason = Infallible;

    fn attempts(&self, email: &EmailAddress, caller: &Caller) -> Vec<Attempt> {
        vec![Attempt::mail(self.occasion, email, caller)]
    }

    fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        self.limits.count(attempt)
    }

    /// Queues the email, bound to the current password of its account. The work is the same for every
    /// address and the delivery looks up the account, so the response reveals nothing.
    fn act(&self, email: &EmailAddress, caller: &Caller, _: &Admission) -> Result<LinkRequested, RequestLinkError> {
        let cause = caller.cause(self.clock.now());
        let account = login::select_account(self.store.read(|tx| tx.credentials().owners(email))?, email);
        let no_hash = PasswordHash::new(String::new());
        let password = self.outbox.tokens.version(account.as_ref().map_or(&no_hash, |owner| owner.credentials.hash()));
        let order = NewMail { password: Some(password), ..self.outbox.new_mail(self.occasion, None, email, &cause) };
        self.store.write(|tx| tx.outbox().enqueue(&order))?;
        self.outbox.notify_worker();
        Ok(LinkRequested)
    }
}
