//! Bulkhead around a hasher: every call needs a permit, and calls beyond the limit fail with `Busy` at
//! once.

use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{CancellationToken, HasherError, PasswordCheck, PasswordHasher};
use portcullis_resilience::{Bulkhead, ConcurrencyLimit};
use portcullis_testkit::PlainHasher;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Differs from that of the hasher inside.
const RETRY_AFTER: Duration = Duration::from_secs(3);

#[test]
fn within_the_bound_results_pass_unchanged() {
    let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 0);
    let (hasher, stays) = (Bulkhead::new(PlainHasher::default(), limit, RETRY_AFTER), CancellationToken::never());
    let (password, old) = (Password::new("correct horse"), PasswordHash::new("old:correct horse".to_owned()));
    let hash = hasher.hash(&password, &stays).unwrap();
    assert_eq!(hasher.verify(&password, &hash, &stays), Ok(PasswordCheck::Match { needs_rehash: false }));
    assert_eq!(hasher.verify(&password, &old, &stays), Ok(PasswordCheck::Match { needs_rehash: true }));
    assert_eq!(hasher.dummy_verify(&password, "ada@example.org", &stays), Ok(()));
    let (gone, busy) =
        (CancellationToken::cancelled_unless(|| false), HasherError::Busy { retry_after: PlainHasher::RETRY_AFTER });
    assert_eq!(hasher.verify(&password, &hash, &gone), Err(busy.clone()), "handed along");
    assert_eq!(hasher.dummy_verify(&password, "ada@example.org", &gone), Err(busy), "and so is its error");
}

#[test]
fn past_the_bound_every_call_is_refused_alike() {
    let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 0);
    let (hasher, stays) =
        (Bulkhead::new(PlainHasher::default(), limit.clone(), RETRY_AFTER), CancellationToken::never());
    let (password, hash) = (Password::new("correct horse"), PasswordHash::new("old:correct horse".to_owned()));
    let slot = limit.acquire().unwrap();
    let busy = HasherError::Busy { retry_after: RETRY_AFTER };
    assert_eq!(hasher.hash(&password, &stays).err(), Some(busy.clone()));
    assert_eq!(hasher.rehash(&password, &hash, &stays).err(), Some(busy.clone()));
    assert_eq!(hasher.verify(&password, &hash, &stays), Err(busy.clone()));
    assert_eq!(hasher.dummy_verify(&password, "ada@example.org", &stays), Err(busy));
    drop(slot);
    assert!(hasher.hash(&password, &stays).is_ok());
}
