//! A circuit breaker around a mailer: while the mail server is gone, mails wait for it instead of
//! each waiting for a time-out. Which errors mean that it is gone is left to [`MailerError`].

use crate::{Breaker, Permit};
use portcullis_domain::mail::RenderedMail;
use portcullis_ports::{Mailer, MailerError};

/// Of a mailer, outages open the circuit; a mail that is put off or refused does not, for there the
/// server did answer.
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
        Err(error) if error.is_outage() => permit.failure(),
        // The call did not reach the server.
        Err(MailerError::CircuitOpen { .. }) => permit.neutral(),
        Ok(()) | Err(_) => permit.success(),
    }
}
