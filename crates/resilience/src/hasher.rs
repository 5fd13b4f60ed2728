//! Bulkhead around a password hasher. During a burst of logins, hashing uses a limited number of
//! threads, and calls that would wait too long are refused at once.

use crate::ConcurrencyLimit;
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{CancellationToken, HasherError, PasswordCheck, PasswordHasher};
use std::time::Duration;

/// Password hasher with a concurrency limit. The dummy hash needs a permit like any other, so that
/// refusals do not reveal which accounts exist.
///
/// ```
/// use portcullis_domain::registration::{Password, PasswordHash};
/// use portcullis_ports::{HasherError, PasswordHasher};
/// use portcullis_resilience::{Bulkhead, ConcurrencyLimit};
/// use std::{num::NonZeroUsize, time::Duration};
/// fn bounded<P: PasswordHasher>(hasher: P, cores: NonZeroUsize) -> impl PasswordHasher {
///     Bulkhead::new(hasher, ConcurrencyLimit::new(cores, 8 * cores.get()), Duration::from_secs(2))
/// }
/// ```
#[derive(Debug)]
pub struct Bulkhead<P> {
    inner: P,
    limit: ConcurrencyLimit,
    retry_after: Duration,
}

impl<P> Bulkhead<P> {
    /// Creates a hasher that applies `limit` to `inner`. Refusals return `retry_after`; set it to
    /// about the time needed to process a full queue.
    #[must_use]
    pub fn new(inner: P, limit: ConcurrencyLimit, retry_after: Duration) -> Self {
        Self { inner, limit, retry_after }
    }

    fn run<T>(&self, call: impl FnOnce(&P) -> Result<T, HasherError>) -> Result<T, HasherError> {
        match self.limit.acquire() {
            Ok(_slot) => call(&self.inner),
            Err(_) => Err(HasherError::Busy { retry_after: self.retry_after }),
        }
    }
}

impl<P: PasswordHasher> PasswordHasher for Bulkhead<P> {
    fn hash(&self, password: &Password, cancellation: &CancellationToken) -> Result<PasswordHash, HasherError> {
        self.run(|hasher| hasher.hash(password, cancellation))
    }

    fn rehash(
        &self,
        password: &Password,
        outdated: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordHash, HasherError> {
        self.run(|hasher| hasher.rehash(password, outdated, cancellation))
    }

    fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError> {
        self.run(|hasher| hasher.verify(password, hash, cancellation))
    }

    fn placeholder(&self) -> PasswordHash {
        self.inner.placeholder()
    }

    fn dummy_verify(
        &self,
        password: &Password,
        account: &str,
        cancellation: &CancellationToken,
    ) -> Result<(), HasherError> {
        self.run(|hasher| hasher.dummy_verify(password, account, cancellation))
    }
}
