//! Password hasher that runs the slow part on dedicated threads. These threads receive only the bcrypt
//! key, never the password.

use crate::{
    hasher::BcryptHasher,
    lanes::{Lanes, measure},
    pool::{Pool, PoolSettings},
};
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{CancellationToken, Clock, HasherError, PasswordCheck, PasswordHasher};
use std::{io, num::NonZeroUsize, sync::Arc, thread::Builder};

/// bcrypt hasher on dedicated threads with a FIFO queue. A thread computes several waiting hashes
/// together. The calling thread blocks until its hash is ready. It gets [`HasherError::Busy`] at once
/// if the queue is full, or later if the job waited too long or was cancelled. Dropping the hasher
/// stops the threads.
pub struct HashThreads {
    hasher: BcryptHasher,
    pool: Pool,
}

impl HashThreads {
    /// Measures the hashing speed for a few milliseconds and starts the threads.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the system refuses to start a thread.
    pub fn start(hasher: BcryptHasher, settings: PoolSettings, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let (cost, watch) = (hasher.cost(), Arc::clone(&clock));
        // Measured on a thread of the same priority as the hash threads.
        let measuring = Builder::new().name("bcrypt-measure".to_owned()).spawn(move || {
            (settings.on_start)();
            measure(settings.lanes, cost, &*watch)
        })?;
        let pace = measuring.join().map_err(|_| io::Error::other("the measurement panicked"))?;
        let pool = Pool::start(settings, pace, clock, Arc::new(move |jobs| pace.lanes.compute(jobs)))?;
        Ok(Self { hasher, pool })
    }

    /// Returns how many hashes a thread computes together.
    #[must_use]
    pub fn lanes(&self) -> Lanes {
        self.pool.lanes()
    }

    /// Returns a function that counts the hashes waiting for a thread.
    pub fn waiting(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        self.pool.waiting()
    }

    /// Returns the maximum number of concurrent callers: running and waiting.
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

    fn placeholder(&self) -> PasswordHash {
        self.hasher.placeholder()
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
