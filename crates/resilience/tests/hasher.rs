//! The bulkhead around a hasher: every call takes a place, and past the bound the answer is
//! "busy" at once.

#![cfg(all(not(loom), feature = "ports"))]

use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{HasherError, PasswordHasher, Patience, Verification};
use portcullis_resilience::{Bulkhead, ConcurrencyLimit};
use std::num::NonZeroUsize;
use std::time::Duration;

const RETRY_AFTER: Duration = Duration::from_secs(2);

struct InstantHasher;

impl PasswordHasher for InstantHasher {
    fn hash(&self, _: &Password, _: &Patience) -> Result<PasswordHash, HasherError> {
        Ok(PasswordHash::new("$2b$04$".to_owned()))
    }

    fn rehash(&self, password: &Password, _: &PasswordHash, patience: &Patience) -> Result<PasswordHash, HasherError> {
        self.hash(password, patience)
    }

    fn verify(&self, _: &Password, _: &PasswordHash, patience: &Patience) -> Result<Verification, HasherError> {
        Ok(Verification::Match { outdated: !patience.is_over() })
    }

    fn verify_stand_in(&self, _: &Password, _: &str, _: &Patience) -> Result<(), HasherError> {
        Err(HasherError::Failed("no randomness".into()))
    }
}

#[test]
fn within_the_bound_results_pass_unchanged() {
    let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 0);
    let (hasher, password) = (Bulkhead::new(InstantHasher, limit, RETRY_AFTER), Password::new("correct horse"));
    let hash = hasher.hash(&password, &Patience::endless()).unwrap();
    assert_eq!(hasher.verify(&password, &hash, &Patience::endless()), Ok(Verification::Match { outdated: true }));
    let over = Patience::lasting_while(|| false);
    assert_eq!(hasher.verify(&password, &hash, &over), Ok(Verification::Match { outdated: false }), "handed along");
    assert_eq!(
        hasher.verify_stand_in(&password, "ada@example.org", &Patience::endless()),
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
    assert_eq!(hasher.hash(&password, &Patience::endless()).err(), Some(busy.clone()));
    assert_eq!(hasher.rehash(&password, &hash, &Patience::endless()).err(), Some(busy.clone()));
    assert_eq!(hasher.verify(&password, &hash, &Patience::endless()), Err(busy.clone()));
    assert_eq!(hasher.verify_stand_in(&password, "ada@example.org", &Patience::endless()), Err(busy));
    drop(slot);
    assert!(hasher.hash(&password, &Patience::endless()).is_ok());
}
