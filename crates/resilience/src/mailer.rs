//! Circuit breaker around a mailer. While the mail server is unavailable, emails stay queued instead of
//! each waiting for a timeout. [`MailerError`] defines which errors are outages.

use crate::{Breaker, Permit};
use portcullis_domain::mail::RenderedMail;
use portcullis_ports::{Mailer, MailerError};

/// Only outages open the circuit. For a deferred or refused email, the server did respond.
impl<M: Mailer> Mailer for Breaker<M> {
    fn send(&self, mail: &RenderedMail) -> Result<(), MailerError> {
        self.call_with(|mailer| mailer.send(mail), |retry_after| MailerError::CircuitOpen { retry_after }, settle)
    }

    fn check(&self) -> Result<(), MailerError> {
        self.call_with(Mailer::check, |retry_after| MailerError::CircuitOpen { retry_after }, settle)
    }
}

fn settle(permit: Permit, result: &Result<(), MailerError>) {
    match result {
        Err(MailerError::Unavailable(cause)) => permit.failure_because(cause),
        // The call did not reach the server.
        Err(MailerError::CircuitOpen { .. }) => permit.neutral(),
        Ok(()) | Err(_) => permit.success(),
    }
}
