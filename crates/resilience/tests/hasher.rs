//! Bulkhead around a hasher: every call needs a permit, and calls beyond the limit fail with `Busy` at
//! once.

#![cfg(all(not(loom), feature = "ports"))]

use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{CancellationToken, HasherError, PasswordCheck, PasswordHasher};
use portcullis_resilience::{Bulkhead, ConcurrencyLimit};
use std::num::NonZeroUsize;
use std::time::Duration;

const RETRY_AFTER: Duration = Duration::from_secs(2);

struct InstantHasher;

impl PasswordHasher for InstantHasher {
    fn hash(&self, _: &Password, _: &CancellationToken) -> Result<PasswordHash, HasherError> {
        Ok(PasswordHash::new("$2b$04$".to_owned()))
    }

    fn rehash(
        &self,
        password: &Password,
        _: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordHash, HasherError> {
        self.hash(password, cancellation)
    }

    fn verify(
        &self,
        _: &Password,
        _: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError> {
        Ok(PasswordCheck::Match { needs_rehash: !cancellation.is_cancelled() })
    }

    fn dummy_verify(&self, _: &Password, _: &str, _: &CancellationToken) -> Result<(), HasherError> {
        Err(HasherError::Failed("no randomness".into()))
    }
}

#[test]
fn within_the_bound_results_pass_unchanged() {
    let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 0);
    let (hasher, password) = (Bulkhead::new(InstantHasher, limit, RETRY_AFTER), Password::new("correct horse"));
    let hash = hasher.hash(&password, &CancellationToken::never()).unwrap();
    assert_eq!(
        hasher.verify(&password, &hash, &CancellationToken::never()),
        Ok(PasswordCheck::Match { needs_rehash: true })
    );
    let over = CancellationToken::cancelled_unless(|| false);
    assert_eq!(
        hasher.verify(&password, &hash, &over),
        Ok(PasswordCheck::Match { needs_rehash: false }),
        "handed along"
    );
    assert_eq!(
        hasher.dummy_verify(&password, "ada@example.org", &CancellationToken::never()),
        Err(HasherError::Failed("no randomness".into()))
    );
}

#[test]
fn past_the_bound_every_call_is_refused_alike() {
    let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 0);
    let hasher = Bulkhead::new(InstantHasher, limit.clone(), RETRY_AFTER);
    let (password, hash) = (Password::new("correct horse"), PasswordHash::new("$2b$04$".to_owned()));
    let slot = limit.acquire().unwrap();
    let busy = HasherError::Busy { retry_after: RETRY_AFTER };
    assert_eq!(hasher.hash(&password, &CancellationToken::never()).err(), Some(busy.clone()));
    assert_eq!(hasher.rehash(&password, &hash, &CancellationToken::never()).err(), Some(busy.clone()));
    assert_eq!(hasher.verify(&password, &hash, &CancellationToken::never()), Err(busy.clone()));
    assert_eq!(hasher.dummy_verify(&password, "ada@example.org", &CancellationToken::never()), Err(busy));
    drop(slot);
    assert!(hasher.hash(&password, &CancellationToken::never()).is_ok());
}
