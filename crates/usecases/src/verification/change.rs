//! Asks for another address of an account. The change itself is left to its verification.

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

/// Who wants which address.
#[derive(Debug)]
pub struct EmailChangeRequest {
    /// Whose account it is.
    pub owner: Authenticated,
    /// Its password.
    pub password: Password,
    /// The address to come.
    pub new_email: EmailAddress,
    /// From where.
    pub client: ClientInfo,
    /// The cookie of the device, if it sent one.
    pub device: Option<String>,
    /// In which language.
    pub language: Language,
}

/// If nobody else has the address, a mail is on its way there.
#[derive(Debug)]
pub struct EmailChangeRequested;

/// A call that was counted: as a guess at a password, and as a mail.
#[derive(Debug, Default)]
#[must_use = "an admission that is dropped is given back"]
pub struct EmailChangeAdmission {
    /// As a guess.
    pub guess: Admission,
    /// As a mail.
    pub mail: Admission,
}

/// The verb.
pub struct RequestEmailChange {
    /// What asks for the password again.
    pub reauthentication: Arc<Reauthentication>,
    /// What makes tokens.
    pub tokens: Arc<OneTimeTokens>,
    /// Who sends mails.
    pub outbox: Arc<Outbox>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl RequestEmailChange {
    /// Asks for the change: counts the [`guess`](Self::guess) and the [mail](Self::admit_mail), then [`execute`](Self::execute).
    ///
    /// # Errors
    /// [`ReauthenticationError`].
    pub fn run(
        &self,
        input: &EmailChangeRequest,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<EmailChangeRequested, ReauthenticationError> {
        let guess = self.reauthentication.admit(&self.guess(input))?;
        let mail = self.admit_mail(input)?;
        self.execute(input, EmailChangeAdmission { guess, mail }, still_wanted)
    }

    /// Returns the guess to count before the work. The mail charges the source.
    #[must_use]
    pub fn guess(&self, input: &EmailChangeRequest) -> Guess {
        let guess = self.reauthentication.guess(&input.owner, input.device.as_deref(), &input.client);
        Guess { is_call: false, ..guess }
    }

    /// Counts the mail.
    ///
    /// # Errors
    /// [`LimitError`].
    pub fn admit_mail(&self, input: &EmailChangeRequest) -> Result<Admission, LimitError> {
        self.reauthentication.guesses.limits.admit_mail(Occasion::ConfirmEmail, &input.new_email, &input.client)
    }

    /// Verifies the password and stores the order. Whether somebody else has the address is looked
    /// up when the mail is made: who asks does not learn it. A wrong guess is spent, and costs no
    /// mail.
    ///
    /// # Errors
    /// [`ReauthenticationError`].
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

    /// The token is there with the order, bound to the password that asked for it: a password that
    /// is changed before the mail is made takes it away.
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
