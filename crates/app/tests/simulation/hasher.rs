//! Password hasher of the simulation: stores plain text, fails as the seed chooses and counts concurrent
//! hashes.

use crate::world::SimWorld;
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{CancellationToken, HasherError, PasswordCheck, PasswordHasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Maximum number of concurrent hashes. Further calls do not wait.
pub(crate) const WIDTH: usize = 2;
/// Retry delay reported to refused callers.
pub(crate) const RETRY: Duration = Duration::from_secs(2);

/// Slow hasher: other clients run while it works. Stores `new:password`; `old:password` is outdated.
pub(crate) struct Hasher {
    pub(crate) stage: Arc<SimWorld>,
    pub(crate) running: Arc<AtomicUsize>,
}

/// Hash in progress.
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
        let perfect = stage.with(|state| state.weather == crate::fault_plan::FaultProfile::Perfect);
        match stage.dice.below(100) {
            0 | 1 if !perfect => Err(HasherError::Busy { retry_after: RETRY }),
            2 if !perfect => Err(HasherError::Failed("staged".to_owned())),
            _ => Ok(()),
        }
    }
}

impl PasswordHasher for Hasher {
    fn hash(&self, password: &Password, _: &CancellationToken) -> Result<PasswordHash, HasherError> {
        self.work()?;
        Ok(PasswordHash::new(format!("new:{}", password.expose())))
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
        password: &Password,
        hash: &PasswordHash,
        _: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError> {
        self.work()?;
        Ok(match hash.expose().split_once(':') {
            Some((scheme, stored)) if stored == password.expose() => {
                PasswordCheck::Match { needs_rehash: scheme == "old" }
            }
            _ => PasswordCheck::Mismatch,
        })
    }

    fn dummy_verify(&self, _: &Password, _: &str, _: &CancellationToken) -> Result<(), HasherError> {
        self.work()
    }
}

/// Wrapper around the bulkhead. Checks that a call runs if a permit is free and is otherwise refused at once.
pub(crate) struct Watched<P> {
    pub(crate) stage: Arc<SimWorld>,
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
    fn hash(&self, password: &Password, cancellation: &CancellationToken) -> Result<PasswordHash, HasherError> {
        self.watch(|inner| inner.hash(password, cancellation))
    }

    fn rehash(
        &self,
        password: &Password,
        outdated: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordHash, HasherError> {
        self.watch(|inner| inner.rehash(password, outdated, cancellation))
    }

    fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError> {
        self.watch(|inner| inner.verify(password, hash, cancellation))
    }

    fn dummy_verify(
        &self,
        password: &Password,
        account: &str,
        cancellation: &CancellationToken,
    ) -> Result<(), HasherError> {
        self.watch(|inner| inner.dummy_verify(password, account, cancellation))
    }
}
