//! Operations on the outbox for operators: listing, counting and retrying emails.

use crate::failure::{DependencyError, Reason, UseCaseError};
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::Occasion;
use portcullis_ports::{Clock, MailId, OutboxCounts, QueuedMail, Store, StoreExt};
use std::sync::Arc;

/// A page of the outbox.
#[derive(Debug)]
pub struct MailListed(pub Vec<QueuedMail>);

/// The email is due now.
#[derive(Debug)]
pub struct MailRetried;

/// No email has that id: it was sent or is no longer needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("No such mail")]
pub struct NoSuchMail;

impl Reason for NoSuchMail {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
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

    /// Counts waiting emails by occasion, up to [`LIMIT`](Self::LIMIT) in total.
    pub fn by_occasion(&self) -> Result<Vec<(Occasion, u64)>, DependencyError> {
        Ok(self.store.read(|tx| tx.outbox().count_by_occasion(Self::LIMIT))?)
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
    pub fn run(&self, id: MailId) -> Result<MailRetried, UseCaseError<NoSuchMail>> {
        let now = self.clock.now();
        let found = self.store.write(|tx| tx.outbox().retry(id, now))?;
        if found { Ok(MailRetried) } else { Err(NoSuchMail.into()) }
    }
}
