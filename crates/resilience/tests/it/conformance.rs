//! Conformance suites for a store behind a breaker and for a hasher behind a bulkhead.

use portcullis_ports::{PasswordHasher, Store};
use portcullis_resilience::{Breaker, BreakerSettings, Bulkhead, CircuitBreaker, ConcurrencyLimit};
use portcullis_testkit::{MemoryStore, PlainHasher};
use std::num::NonZeroUsize;

portcullis_testkit::store_conformance!(|run: &dyn Fn(&dyn Store)| {
    run(&Breaker::new("database", MemoryStore::new(), CircuitBreaker::new(BreakerSettings::default())));
});

portcullis_testkit::hasher_conformance!(|run: &dyn Fn(&dyn PasswordHasher)| {
    let limit = ConcurrencyLimit::new(NonZeroUsize::MIN.saturating_add(15), 0);
    run(&Bulkhead::new(PlainHasher::default(), limit, PlainHasher::RETRY_AFTER));
});
