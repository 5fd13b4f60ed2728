//! Hashes and verifies passwords with bcrypt. Reads and writes the formats of Python's passlib, so
//! hashes can be moved in both directions.
//!
//! [`BcryptHasher`] runs on the calling thread, which suits tests and command-line tasks. The service
//! wraps it in [`HashThreads`], which limits running and waiting hashes and computes several at once
//! with the [`kernel`].
//!
//! ```
//! use portcullis_bcrypt::{BcryptHasher, Cost, HashThreads, PoolSettings};
//! use portcullis_domain::registration::Password;
//! use portcullis_ports::{Clock, Entropy, PasswordHasher, CancellationToken, PasswordCheck};
//! use std::{num::NonZeroUsize, sync::Arc, time::Duration};
//! # struct Fixed;
//! # impl Entropy for Fixed {
//! #     fn fill(&self, bytes: &mut [u8]) { bytes.fill(7) }
//! # }
//! # impl Clock for Fixed {
//! #     fn now(&self) -> chrono::DateTime<chrono::Utc> { chrono::DateTime::UNIX_EPOCH }
//! #     fn monotonic(&self) -> Duration { Duration::ZERO }
//! # }
//! # let (entropy, clock) = (Arc::new(Fixed), Arc::new(Fixed));
//! let cost = Cost::new(4).ok_or("4 to 31")?;
//! let settings =
//!     PoolSettings { threads: NonZeroUsize::MIN, lanes: None, wait: Duration::from_secs(2), on_start: || () };
//! let hasher = HashThreads::start(BcryptHasher::new(cost, entropy), settings, clock)?;
//! let hash = hasher.hash(&Password::new("correct horse"), &CancellationToken::never())?;
//! let same = hasher.verify(&Password::new("correct horse"), &hash, &CancellationToken::never())?;
//! assert_eq!(same, PasswordCheck::Match { needs_rehash: false });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]

mod computation;
mod cost;
mod dummy;
mod hasher;
pub mod kernel;
mod key;
mod lanes;
mod pool;
mod queue;
mod stored;
mod threads;

pub use cost::Cost;
pub use dummy::StoredCosts;
pub use hasher::BcryptHasher;
pub use lanes::Lanes;
pub use pool::PoolSettings;
pub use threads::HashThreads;
