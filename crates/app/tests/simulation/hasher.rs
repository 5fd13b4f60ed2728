//! The hasher of the simulation: passwords as they are, refusals at the seed's choice, and a count
//! of how many hashes are made at once.

use crate::stage::Stage;
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{HasherError, PasswordHasher, Patience, Verification};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How many hashes may be made at once; nobody waits.
pub(crate) const WIDTH: usize = 2;
/// What refused callers are told.
pub(crate) const RETRY: Duration = Duration::from_secs(2);

/// A hasher that takes its time: others run meanwhile. Stores `new:password`; `old:password` is
/// outdated.
pub(crate) struct Hasher {
    pub(crate) stage: Arc<Stage>,
    pub(crate) running: Arc<AtomicUsize>,
}

/// A hash that is made.
struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Hasher {
    fn work(&self) -> Result<(), HasherError> {
        let stage = &self.stage;
        let before = self.running.fetch_add(1, Ordering::SeqCst);
        let _running = Running(&self.running);
        stage.expect(before < WIDTH, || format!("{} hashes at once", before + 1));
        stage.record(|record| record.reached += 1);
        stage.pause();
        let perfect = stage.with(|state| state.weather == crate::weather::Weather::Perfect);
        match stage.dice.below(100) {
            0 | 1 if !perfect => Err(HasherError::Busy { retry_after: RETRY }),
            2 if !perfect => Err(HasherError::Failed("staged".to_owned())),
            _ => Ok(()),
        }
    }
}

impl PasswordHasher for Hasher {
    fn hash(&self, password: &Password, _: &Patience) -> Result<PasswordHash, HasherError> {
        self.work()?;
        Ok(PasswordHash::new(format!("new:{}", password.expose())))
    }

    fn rehash(&self, password: &Password, _: &PasswordHash, patience: &Patience) -> Result<PasswordHash, HasherError> {
        self.hash(password, patience)
    }

    fn verify(&self, password: &Password, hash: &PasswordHash, _: &Patience) -> Result<Verification, HasherError> {
        self.work()?;
        Ok(match hash.expose().split_once(':') {
            Some((scheme, stored)) if stored == password.expose() => Verification::Match { outdated: scheme == "old" },
            _ => Verification::Mismatch,
        })
    }

    fn verify_stand_in(&self, _: &Password, _: &str, _: &Patience) -> Result<(), HasherError> {
        self.work()
    }
}

/// What stands before the bulkhead: holds it against its promise, that a call runs if there is a
/// place and is refused at once if not.
pub(crate) struct Watched<P> {
    pub(crate) stage: Arc<Stage>,
    pub(crate) inner: P,
    pub(crate) running: Arc<AtomicUsize>,
}

impl<P> Watched<P> {
    fn watch<T>(&self, call: impl FnOnce(&P) -> Result<T, HasherError>) -> Result<T, HasherError> {
        let stage = &self.stage;
        let full = self.running.load(Ordering::SeqCst) >= WIDTH;
        let reached = stage.record(|record| record.reached);
        let result = call(&self.inner);
        let reached = stage.record(|record| record.reached) > reached;
        stage.expect(reached != full, || format!("the bulkhead was full: {full}, and the call ran: {reached}"));
        if full {
            stage.cover("bulkhead refused");
            let busy = matches!(result, Err(HasherError::Busy { retry_after: RETRY }));
            stage.expect(busy, || "a full bulkhead did not say so".to_owned());
        }
        stage.record(|record| record.hasher_error = result.as_ref().err().cloned());
        result
    }
}

impl<P: PasswordHasher> PasswordHasher for Watched<P> {
    fn hash(&self, password: &Password, patience: &Patience) -> Result<PasswordHash, HasherError> {
        self.watch(|inner| inner.hash(password, patience))
    }

    fn rehash(
        &self,
        password: &Password,
        outdated: &PasswordHash,
        patience: &Patience,
    ) -> Result<PasswordHash, HasherError> {
        self.watch(|inner| inner.rehash(password, outdated, patience))
    }

    fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        patience: &Patience,
    ) -> Result<Verification, HasherError> {
        self.watch(|inner| inner.verify(password, hash, patience))
    }

    fn verify_stand_in(&self, password: &Password, account: &str, patience: &Patience) -> Result<(), HasherError> {
        self.watch(|inner| inner.verify_stand_in(password, account, patience))
    }
}
