//! The hasher on threads of its own. The rules stay the hasher's: only the slow part goes to the
//! threads, and of the password only the key that bcrypt gets.

use crate::{
    hasher::BcryptHasher,
    pool::{Pool, PoolSize},
};
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{HasherError, PasswordHasher, Verification};
use std::{io, sync::Arc};

/// Hashes with bcrypt on threads of its own, first come, first served. The calling thread waits,
/// without using the processor; where too many wait already it gets [`HasherError::Busy`] at
/// once. Dropping it ends the threads.
pub struct HashThreads {
    hasher: BcryptHasher,
    pool: Pool,
}

impl HashThreads {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`io::Error`], where the system starts no more threads.
    pub fn start(hasher: BcryptHasher, size: PoolSize) -> io::Result<Self> {
        let pool = Pool::start(size, Arc::new(|computation| computation.run()))?;
        Ok(Self { hasher, pool })
    }
}

impl PasswordHasher for HashThreads {
    fn hash(&self, password: &Password) -> Result<PasswordHash, HasherError> {
        self.hasher.hash_by(password, |computation| self.pool.run(computation))
    }

    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verification, HasherError> {
        self.hasher.verify_by(password, hash, |computation| self.pool.run(computation))
    }

    fn verify_stand_in(&self, password: &Password) -> Result<(), HasherError> {
        self.hasher.stand_in_by(password, |computation| self.pool.run(computation))
    }
}
