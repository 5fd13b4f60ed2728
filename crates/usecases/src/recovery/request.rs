//! Sends a password-reset link by email.

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
pub struct ResetRequest {
    /// Email address as entered.
    pub email: EmailAddress,
    /// IP address and User-Agent of the client.
    pub client: ClientInfo,
    /// Language of the email.
    pub language: Language,
}

/// An email is queued. It is sent only if the address has an account.
#[derive(Debug)]
pub struct ResetRequested;

/// Reason why no email was queued.
#[derive(Debug, thiserror::Error)]
pub enum RequestResetError {
    /// A budget is spent.
    #[error(transparent)]
    Limited(RateLimited),
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(RequestResetError: StoreError);

impl From<LimitError> for RequestResetError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Limited(limited) => Self::Limited(limited),
            LimitError::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl RequestResetError {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Limited(_) => ErrorCode::RateLimited,
            Self::Failed(failure) => failure.code(),
        }
    }
}

/// Sends a password-reset link by email.
pub struct RequestReset {
    /// Store of the outbox.
    pub store: Arc<dyn Store>,
    /// Outbox for the email.
    pub outbox: Arc<Outbox>,
    /// Rate limits.
    pub limits: Arc<Limits>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl RequestReset {
    /// Requests the email: calls [`admit`](Self::admit), then [`execute`](Self::execute).
    pub fn run(&self, input: &ResetRequest) -> Result<ResetRequested, RequestResetError> {
        let admission = self.admit(input)?;
        self.execute(input, admission)
    }

    /// Counts the call.
    pub fn admit(&self, input: &ResetRequest) -> Result<Admission, RequestResetError> {
        Ok(self.limits.admit_mail(Occasion::ResetPassword, &input.email, &input.client)?)
    }

    /// Queues the email. The delivery looks up the account, so the work is the same for every address.
    pub fn execute(&self, input: &ResetRequest, admission: Admission) -> Result<ResetRequested, RequestResetError> {
        let cause = MailCause { language: input.language, client: &input.client, at: self.clock.now() };
        enqueue_link_mail(&*self.store, &self.outbox, Occasion::ResetPassword, &input.email, &cause)?;
        admission.commit();
        Ok(ResetRequested)
    }
}
