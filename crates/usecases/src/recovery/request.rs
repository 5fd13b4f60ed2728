//! Sends a link to set a new password, to whoever forgot theirs.

use crate::failure::{DependencyError, from_dependency_errors};
use crate::limits::{Admission, LimitError, Limits, RateLimited};
use crate::mail::{MailCause, Outbox, enqueue_link_mail};
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::{Language, Occasion};
use portcullis_domain::registration::EmailAddress;
use portcullis_domain::sessions::ClientInfo;
use portcullis_ports::{Clock, Store, StoreError};
use std::sync::Arc;

/// Who wants the link.
#[derive(Debug)]
pub struct ResetRequest {
    /// The address that was named.
    pub email: EmailAddress,
    /// From where.
    pub client: ClientInfo,
    /// In which language.
    pub language: Language,
}

/// If the address has an account, a mail is on its way.
#[derive(Debug)]
pub struct ResetRequested;

/// Why no mail is on its way.
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
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Limited(_) => ErrorCode::RateLimited,
            Self::Failed(failure) => failure.code(),
        }
    }
}

/// The verb.
pub struct RequestReset {
    /// Where mails are kept.
    pub store: Arc<dyn Store>,
    /// Who sends them.
    pub outbox: Arc<Outbox>,
    /// How often it may be asked for.
    pub limits: Arc<Limits>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl RequestReset {
    /// Asks for the link: [`validate`](Self::validate), then [`execute`](Self::execute).
    ///
    /// # Errors
    /// [`RequestResetError`].
    pub fn run(&self, input: &ResetRequest) -> Result<ResetRequested, RequestResetError> {
        let admission = self.admit(input)?;
        self.execute(input, admission)
    }

    /// Counts the call.
    ///
    /// # Errors
    /// [`RequestResetError`].
    pub fn admit(&self, input: &ResetRequest) -> Result<Admission, RequestResetError> {
        Ok(self.limits.admit_mail(Occasion::ResetPassword, &input.email, &input.client)?)
    }

    /// Stores the order. Whether there is anybody to write to is looked up when the mail is made:
    /// the work is the same for every address.
    ///
    /// # Errors
    /// [`RequestResetError`].
    pub fn execute(&self, input: &ResetRequest, admission: Admission) -> Result<ResetRequested, RequestResetError> {
        let cause = MailCause { language: input.language, client: &input.client, at: self.clock.now() };
        enqueue_link_mail(&*self.store, &self.outbox, Occasion::ResetPassword, &input.email, &cause)?;
        admission.commit();
        Ok(ResetRequested)
    }
}
