//! The hasher on threads of its own. The rules stay the hasher's: only the slow part goes to the
//! threads, and of the password only the key that bcrypt gets.

use crate::{
    hasher::BcryptHasher,
    lanes::{Lanes, measure},
    pool::{Pool, PoolSettings},
};
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{CancellationToken, Clock, HasherError, PasswordCheck, PasswordHasher};
use std::{io, num::NonZeroUsize, sync::Arc, thread::Builder};

/// Hashes with bcrypt on threads of its own, first come, first served. Where several hashes wait,
/// a thread makes some of them together. The calling thread waits, without using the processor;
/// where too many wait already it gets [`HasherError::Busy`] at once, and where it has waited too
/// long or lost its patience, when its turn comes. Dropping it ends the threads.
pub struct HashThreads {
    hasher: BcryptHasher,
    pool: Pool,
}

impl HashThreads {
    /// Measures how fast hashes are made, for some milliseconds, and starts the threads.
    ///
    /// # Errors
    /// [`io::Error`], where the system starts no more threads.
    pub fn start(hasher: BcryptHasher, settings: PoolSettings, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let (cost, watch) = (hasher.cost(), Arc::clone(&clock));
        // On a thread like those that will hash, at their priority.
        let measuring = Builder::new().name("bcrypt-measure".to_owned()).spawn(move || {
            (settings.on_start)();
            measure(settings.lanes, cost, &*watch)
        })?;
        let pace = measuring.join().map_err(|_| io::Error::other("the measurement panicked"))?;
        let pool = Pool::start(settings, pace, clock, Arc::new(move |jobs| pace.lanes.compute(jobs)))?;
        Ok(Self { hasher, pool })
    }

    /// How many hashes a thread makes together.
    #[must_use]
    pub fn lanes(&self) -> Lanes {
        self.pool.lanes()
    }

    /// What tells how many hashes wait for a thread, for as long as anybody asks.
    pub fn waiting(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        self.pool.waiting()
    }

    /// How many callers find a place: those whose hashes are made, and those who wait.
    #[must_use]
    pub fn capacity(&self) -> NonZeroUsize {
        self.pool.places()
    }
}

impl PasswordHasher for HashThreads {
    fn hash(&self, password: &Password, cancellation: &CancellationToken) -> Result<PasswordHash, HasherError> {
        self.hasher.hash_by(password, |computation| self.pool.run(computation, cancellation))
    }

    fn rehash(
        &self,
        password: &Password,
        outdated: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordHash, HasherError> {
        self.hasher.rehash_by(password, outdated, |computation| self.pool.run(computation, cancellation))
    }

    fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError> {
        self.hasher.verify_by(password, hash, |computation| self.pool.run(computation, cancellation))
    }

    fn dummy_verify(
        &self,
        password: &Password,
        account: &str,
        cancellation: &CancellationToken,
    ) -> Result<(), HasherError> {
        self.hasher.stand_in_by(password, account, |computation| self.pool.run(computation, cancellation))
    }
}
