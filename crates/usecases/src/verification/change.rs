//! Requests a change of an account's email. The change happens when the new address is verified.

use super::OneTimeTokens;
use crate::LOG;
use crate::limits::{Admission, Guess, LimitError};
use crate::login::{Reauthentication, ReauthenticationError};
use crate::mail::{MailCause, Outbox};
use crate::tokens::Authenticated;
use portcullis_domain::mail::{Language, NewMail, Occasion};
use portcullis_domain::registration::{EmailAddress, Password, User};
use portcullis_domain::sessions::ClientInfo;
use portcullis_domain::verification::Purpose;
use portcullis_ports::{CancellationToken, Clock, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// Input of the request.
#[derive(Debug)]
pub struct EmailChangeRequest {
    /// Authenticated user whose email changes.
    pub owner: Authenticated,
    /// Password of the account.
    pub password: Password,
    /// New email address.
    pub new_email: EmailAddress,
    /// IP address and User-Agent of the client.
    pub client: ClientInfo,
    /// Device cookie, if the client sent one.
    pub device: Option<String>,
    /// Language of the email.
    pub language: Language,
}

/// An email to the new address is queued. It is sent only if no other account has that address.
#[derive(Debug)]
pub struct EmailChangeRequested;

/// Admission of a call that counts both as a password guess and as an email.
#[derive(Debug, Default)]
#[must_use = "an admission that is dropped is given back"]
pub struct EmailChangeAdmission {
    /// Charge for the guess.
    pub guess: Admission,
    /// Charge for the email.
    pub mail: Admission,
}

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

impl RequestEmailChange {
    /// Requests the change: counts the [`guess`](Self::guess) and the [email](Self::admit_mail), then
    /// calls [`execute`](Self::execute).
    pub fn run(
        &self,
        input: &EmailChangeRequest,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<EmailChangeRequested, ReauthenticationError> {
        let guess = self.reauthentication.admit(&self.guess(input))?;
        let mail = self.admit_mail(input)?;
        self.execute(input, EmailChangeAdmission { guess, mail }, still_wanted)
    }

    /// Returns the guess to count before the work. Only the email is charged to the source.
    #[must_use]
    pub fn guess(&self, input: &EmailChangeRequest) -> Guess {
        let guess = self.reauthentication.guess(&input.owner, input.device.as_deref(), &input.client);
        Guess { is_call: false, ..guess }
    }

    /// Counts the email.
    pub fn admit_mail(&self, input: &EmailChangeRequest) -> Result<Admission, LimitError> {
        self.reauthentication.guesses.limits.admit_mail(Occasion::ConfirmEmail, &input.new_email, &input.client)
    }

    /// Checks the password and queues the email. The delivery checks whether another account has the
    /// new address, so the response does not reveal it. A wrong guess is charged as a guess only.
    pub fn execute(
        &self,
        input: &EmailChangeRequest,
        admission: EmailChangeAdmission,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<EmailChangeRequested, ReauthenticationError> {
        let outcome = self.ask(input, &CancellationToken::cancelled_unless(still_wanted));
        match &outcome {
            Ok(EmailChangeRequested) => admission.mail.commit(),
            Err(ReauthenticationError::InvalidCredentials) => admission.guess.commit(),
            Err(_) => {}
        }
        outcome
    }

    fn ask(
        &self,
        input: &EmailChangeRequest,
        cancellation: &CancellationToken,
    ) -> Result<EmailChangeRequested, ReauthenticationError> {
        let cause = MailCause { language: input.language, client: &input.client, at: self.clock.now() };
        let user_id = input.owner.user.id;
        let to = EmailAddress::from_stored(input.new_email.canonical().to_owned());
        let order = self.outbox.new_mail(Occasion::ConfirmEmail, Some(user_id), &to, &cause);
        self.reauthentication.with_verified_password(&input.owner.user, &input.password, cancellation, |user| {
            Ok::<_, ReauthenticationError>(self.reauthentication.store.write(|tx| self.store(user, &order, tx))?)
        })?;
        self.outbox.notify_worker();
        tracing::info!(target: LOG, user_id = user_id.get(), "Email change requested");
        Ok(EmailChangeRequested)
    }

    /// Stores the token together with the email, bound to the current password: a password change
    /// before the delivery invalidates it.
    fn store(&self, user: &User, order: &NewMail, tx: &mut dyn Tx) -> Result<Option<()>, StoreError> {
        if !tx.users().password_still_current(user.id, &user.password)? {
            return Ok(None);
        }
        let token = self.tokens.token(&order.seed);
        let record = self.tokens.record(&token, Purpose::ChangeEmail, (user, &order.to), order.created_at);
        tx.one_time_tokens().upsert(&record)?;
        tx.outbox().enqueue(order).map(Some)
    }
}
