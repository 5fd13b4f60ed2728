//! Runs the conformance suite of hashers on both: on the calling thread, and on threads that compute
//! one or several hashes at a time.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use chrono::DateTime;
use portcullis_bcrypt::{BcryptHasher, Cost, HashThreads, Lanes, PoolSettings};
use portcullis_ports::PasswordHasher;
use portcullis_testkit::{FixedClock, SeededEntropy};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

fn here() -> BcryptHasher {
    BcryptHasher::new(Cost::new(4).unwrap(), Arc::new(SeededEntropy::new(1)))
}

fn on_threads(lanes: Lanes) -> HashThreads {
    let (threads, wait) = (NonZeroUsize::MIN.saturating_add(1), Duration::from_secs(2));
    let settings = PoolSettings { threads, lanes: Some(lanes), wait, on_start: || () };
    HashThreads::start(here(), settings, Arc::new(FixedClock::at(DateTime::UNIX_EPOCH))).unwrap()
}

mod on_the_calling_thread {
    use super::*;

    portcullis_testkit::hasher_conformance!(|run: &dyn Fn(&dyn PasswordHasher)| run(&here()));
}

mod on_threads_one_by_one {
    use super::*;

    portcullis_testkit::hasher_conformance!(|run: &dyn Fn(&dyn PasswordHasher)| run(&on_threads(Lanes::ONE)));
}

mod on_threads_together {
    use super::*;

    portcullis_testkit::hasher_conformance!(|run: &dyn Fn(&dyn PasswordHasher)| run(&on_threads(Lanes::MAX)));
}
