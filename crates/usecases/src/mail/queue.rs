//! Operations on the outbox for operators: listing, counting and retrying emails.

use crate::failure::{DependencyError, from_dependency_errors};
use portcullis_domain::ErrorCode;
use portcullis_ports::{Clock, MailId, OutboxCounts, QueuedMail, Store, StoreError, StoreExt};
use std::sync::Arc;

/// A page of the outbox.
#[derive(Debug)]
pub struct MailListed(pub Vec<QueuedMail>);

/// The email is due now.
#[derive(Debug)]
pub struct MailRetried;

/// Reason why an email is not retried.
#[derive(Debug, thiserror::Error)]
pub enum RetryMailError {
    /// No email has that id: it was sent or is no longer needed.
    #[error("No such mail")]
    NotFound,
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(RetryMailError: StoreError);

impl RetryMailError {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::Failed(failure) => failure.code(),
        }
    }
}

/// Lists emails of the outbox.
pub struct ListMail {
    /// Store of the outbox.
    pub store: Arc<dyn Store>,
}

impl ListMail {
    /// Lists up to `limit` emails with ids greater than `after`, dead ones included.
    pub fn run(&self, after: Option<MailId>, limit: u32) -> Result<MailListed, DependencyError> {
        Ok(MailListed(self.store.read(|tx| tx.outbox().list(after, limit))?))
    }
}

/// Counts emails of the outbox.
pub struct CountMail {
    /// Store of the outbox.
    pub store: Arc<dyn Store>,
}

impl CountMail {
    /// Maximum number of emails counted of each kind.
    pub const LIMIT: u32 = 10_000;

    /// Counts waiting and dead emails, up to [`LIMIT`](Self::LIMIT) of each.
    pub fn run(&self) -> Result<OutboxCounts, DependencyError> {
        Ok(self.store.read(|tx| tx.outbox().count(Self::LIMIT))?)
    }
}

/// Retries an email of the outbox.
pub struct RetryMail {
    /// Store of the outbox.
    pub store: Arc<dyn Store>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl RetryMail {
    /// Makes an email due, as if it had been queued now. It keeps its link; if the link was used or
    /// replaced, nothing is sent.
    pub fn run(&self, id: MailId) -> Result<MailRetried, RetryMailError> {
        let now = self.clock.now();
        let found = self.store.write(|tx| tx.outbox().retry(id, now))?;
        if found { Ok(MailRetried) } else { Err(RetryMailError::NotFound) }
    }
}
