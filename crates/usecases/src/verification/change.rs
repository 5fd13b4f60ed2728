//! Requests a change of an account's email. The change happens when the new address is verified.

use super::OneTimeTokens;
use crate::LOG;
use crate::caller::Caller;
use crate::counted::Counted;
use crate::limits::{Admission, Attempt, Guess, LimitError};
use crate::login::{OwnerProof, Reauthentication, ReauthenticationError, ReauthenticationReason};
use crate::mail::Outbox;
use crate::tokens::Authenticated;
use portcullis_domain::login::Owner;
use portcullis_domain::mail::{NewMail, Occasion};
use portcullis_domain::registration::EmailAddress;
use portcullis_domain::verification::Purpose;
use portcullis_ports::{Clock, StoreExt, Tx};
use std::sync::Arc;

/// Input of the request.
#[derive(Debug)]
pub struct EmailChangeRequest {
    /// Authenticated user whose email changes.
    pub owner: Authenticated,
    /// Password of the account, if it has one.
    pub password: OwnerProof,
    /// New email address.
    pub new_email: EmailAddress,
}

/// An email to the new address is queued. It is sent only if no other account has that address.
#[derive(Debug)]
pub struct EmailChangeRequested;

/// Requests a change of an account's email.
pub struct RequestEmailChange {
    /// Asks for the password again.
    pub reauthentication: Arc<Reauthentication>,
    /// One-time tokens.
    pub tokens: Arc<OneTimeTokens>,
    /// Outbox for the email.
    pub outbox: Arc<Outbox>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl Counted for RequestEmailChange {
    type Input = EmailChangeRequest;
    type Output = EmailChangeRequested;
    type Reason = ReauthenticationReason;

    /// A wrong guess is charged as a guess only, and a correct one as an email only.
    fn attempts(&self, input: &EmailChangeRequest, caller: &Caller) -> Vec<Attempt> {
        // Only the email is charged to the source.
        let guess = self.reauthentication.guess_of(&input.owner, &input.password, caller);
        let guess = guess.map(|guess| Attempt::Guess(Guess { is_call: false, ..guess }));
        guess.into_iter().chain([Attempt::mail(Occasion::ConfirmEmail, &input.new_email, caller)]).collect()
    }

    fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        self.reauthentication.guesses.count(attempt)
    }

    /// Checks the password and queues the email. The delivery checks whether another account has the
    /// new address, so the response does not reveal it.
    fn act(
        &self,
        input: &EmailChangeRequest,
        caller: &Caller,
        _: &Admission,
    ) -> Result<EmailChangeRequested, ReauthenticationError> {
        let EmailChangeRequest { owner: session, password, new_email } = input;
        let user_id = session.user.id;
        let to = EmailAddress::from_stored(new_email.canonical().to_owned());
        let cause = caller.cause(self.clock.now());
        let order = self.outbox.new_mail(Occasion::ConfirmEmail, Some(user_id), &to, &cause);
        self.reauthentication.with_proof(session, password, caller, |owner| {
            self.reauthentication.store.write(|tx| {
                self.reauthentication.confirm::<ReauthenticationReason>(session, password, tx)?;
                self.store(owner, &order, tx)
            })
        })?;
        self.outbox.notify_worker();
        tracing::info!(target: LOG, user_id = user_id.get(), "Email change requested");
        Ok(EmailChangeRequested)
    }
}

impl RequestEmailChange {
    /// Stores the token together with the email, bound to the current password: a password change
    /// before the delivery invalidates it.
    fn store(&self, owner: &Owner, order: &NewMail, tx: &mut dyn Tx) -> Result<Option<()>, ReauthenticationError> {
        if !tx.credentials().still_current(owner.user.id, &owner.credentials)? {
            return Ok(None);
        }
        let token = self.tokens.token(&order.seed);
        let record = self.tokens.record(&token, Purpose::ChangeEmail, (owner, &order.to), order.created_at);
        tx.one_time_tokens().upsert(&record)?;
        tx.outbox().enqueue(order)?;
        Ok(Some(()))
    }
}
