//! A store behind a breaker does all that a store does.

#![cfg(all(not(loom), feature = "ports"))]

use portcullis_ports::Store;
use portcullis_resilience::{Breaker, CircuitBreaker, Settings};
use portcullis_testkit::MemoryStore;

portcullis_testkit::store_conformance!(|run: &dyn Fn(&dyn Store)| {
    run(&Breaker::new("database", MemoryStore::new(), CircuitBreaker::new(Settings::default())));
});
