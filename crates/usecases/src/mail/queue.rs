//! What an operator does with the outbox: looks into it, and has a mail tried again.

use crate::failure::{DependencyError, from_dependency_errors};
use portcullis_domain::ErrorCode;
use portcullis_ports::{Clock, MailId, OutboxCounts, QueuedMail, Store, StoreError, StoreExt};
use std::sync::Arc;

/// A page of the outbox.
#[derive(Debug)]
pub struct MailListed(pub Vec<QueuedMail>);

/// The mail is due now.
#[derive(Debug)]
pub struct MailRetried;

/// Why a mail is not tried again.
#[derive(Debug, thiserror::Error)]
pub enum RetryMailError {
    /// There is none with that number: it was sent, or had nothing to say any more.
    #[error("No such mail")]
    NotFound,
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(RetryMailError: StoreError);

impl RetryMailError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::Failed(failure) => failure.code(),
        }
    }
}

/// The verb that looks.
pub struct ListMail {
    /// Where mails are kept.
    pub store: Arc<dyn Store>,
}

impl ListMail {
    /// Up to `limit` mails with greater numbers than `after`, given up or not.
    ///
    /// # Errors
    /// [`DependencyError`].
    pub fn run(&self, after: Option<MailId>, limit: u32) -> Result<MailListed, DependencyError> {
        Ok(MailListed(self.store.read(|tx| tx.outbox().list(after, limit))?))
    }
}

/// Counts the emails that are kept.
pub struct CountMail {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
}

impl CountMail {
    /// Most emails of each kind that are counted.
    pub const LIMIT: u32 = 10_000;

    /// Returns how many wait and how many were given up, at most [`LIMIT`](Self::LIMIT) of each.
    ///
    /// # Errors
    /// [`DependencyError`].
    pub fn run(&self) -> Result<OutboxCounts, DependencyError> {
        Ok(self.store.read(|tx| tx.outbox().count(Self::LIMIT))?)
    }
}

/// The verb that has one tried again.
pub struct RetryMail {
    /// Where mails are kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl RetryMail {
    /// Makes a mail due, as if it had been caused now. Its link is the one that it had; where that
    /// was used or replaced, nothing is sent.
    ///
    /// # Errors
    /// [`RetryMailError`].
    pub fn run(&self, id: MailId) -> Result<MailRetried, RetryMailError> {
        let now = self.clock.now();
        let found = self.store.write(|tx| tx.outbox().retry(id, now))?;
        if found { Ok(MailRetried) } else { Err(RetryMailError::NotFound) }
    }
}
