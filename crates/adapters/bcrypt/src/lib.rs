//! Hashes and verifies passwords with bcrypt, in the formats of Python's passlib, so that hashes
//! move to and from there. What a login makes of the answer is left to the use cases.
//!
//! [`BcryptHasher`] works on the thread that calls it, which suits tests and chores. A service
//! puts it on [`HashThreads`], which bound how many hashes are made and how many wait.
//!
//! ```
//! use portcullis_bcrypt::{BcryptHasher, Cost, HashThreads, PoolSize};
//! use portcullis_domain::registration::Password;
//! use portcullis_ports::{Entropy, PasswordHasher, Verification};
//! use std::{num::NonZeroUsize, sync::Arc, time::Duration};
//! struct Fixed;
//! impl Entropy for Fixed {
//!     fn fill(&self, bytes: &mut [u8]) { bytes.fill(7) }
//! }
//! let cost = Cost::new(4).ok_or("4 to 31")?;
//! let size = PoolSize::for_wait(cost, NonZeroUsize::MIN, Duration::from_secs(2));
//! let hasher = HashThreads::start(BcryptHasher::new(cost, Arc::new(Fixed)), size)?;
//! let hash = hasher.hash(&Password::new("correct horse"))?;
//! let same = hasher.verify(&Password::new("correct horse"), &hash)?;
//! assert_eq!(same, Verification::Match { outdated: false });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]

mod computation;
mod cost;
mod hasher;
pub mod kernel;
mod key;
mod pool;
mod queue;
mod stored;
mod threads;

pub use cost::Cost;
pub use hasher::BcryptHasher;
pub use pool::PoolSize;
pub use threads::HashThreads;
