//! Sends the email with the verification link again.

use crate::failure::{DependencyError, from_dependency_errors};
use crate::limits::{Admission, LimitError, Limits, RateLimited};
use crate::mail::{MailCause, Outbox, enqueue_link_mail};
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::{Language, Occasion};
use portcullis_domain::registration::EmailAddress;
use portcullis_domain::sessions::ClientInfo;
use portcullis_ports::{Clock, Store, StoreError};
use std::sync::Arc;

/// Input of the request.
#[derive(Debug)]
pub struct VerificationRequest {
    /// Email address as entered.
    pub email: EmailAddress,
    /// IP address and User-Agent of the client.
    pub client: ClientInfo,
    /// Language of the email.
    pub language: Language,
}

/// An email is queued. It is sent only if the address has an account and is unverified.
#[derive(Debug)]
pub struct VerificationRequested;

/// Reason why no email was queued.
#[derive(Debug, thiserror::Error)]
pub enum ResendVerificationError {
    /// A budget is spent.
    #[error(transparent)]
    Limited(RateLimited),
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(ResendVerificationError: StoreError);

impl From<LimitError> for ResendVerificationError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Limited(limited) => Self::Limited(limited),
            LimitError::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl ResendVerificationError {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Limited(_) => ErrorCode::RateLimited,
            Self::Failed(failure) => failure.code(),
        }
    }
}

/// Sends the email with the verification link again.
pub struct ResendVerification {
    /// Store of the outbox.
    pub store: Arc<dyn Store>,
    /// Outbox for the email.
    pub outbox: Arc<Outbox>,
    /// Rate limits.
    pub limits: Arc<Limits>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl ResendVerification {
    /// Requests the email: calls [`admit`](Self::admit), then [`execute`](Self::execute).
    pub fn run(&self, input: &VerificationRequest) -> Result<VerificationRequested, ResendVerificationError> {
        let admission = self.admit(input)?;
        self.execute(input, admission)
    }

    /// Counts the call.
    pub fn admit(&self, input: &VerificationRequest) -> Result<Admission, ResendVerificationError> {
        Ok(self.limits.admit_mail(Occasion::VerifyEmail, &input.email, &input.client)?)
    }

    /// Queues the email. The delivery looks up the account, so the work is the same for every address.
    pub fn execute(
        &self,
        input: &VerificationRequest,
        admission: Admission,
    ) -> Result<VerificationRequested, ResendVerificationError> {
        let cause = MailCause { language: input.language, client: &input.client, at: self.clock.now() };
        enqueue_link_mail(&*self.store, &self.outbox, Occasion::VerifyEmail, &input.email, &cause)?;
        admission.commit();
        Ok(VerificationRequested)
    }
}
