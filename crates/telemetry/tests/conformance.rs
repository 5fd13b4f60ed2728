//! A metered or traced store does all that a store does, and so do a hasher and a limiter.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use chrono::DateTime;
use portcullis_ports::{PasswordHasher, Store};
use portcullis_telemetry::{HasherMetrics, LimiterMetrics, Metered, MetricsRegistry, StoreMetrics, Traced};
use portcullis_testkit::conformance::limits::Limiter;
use portcullis_testkit::{FixedClock, MapLimiter, MemoryStore, PlainHasher};
use std::sync::Arc;

fn world() -> (MetricsRegistry, Arc<FixedClock>) {
    (MetricsRegistry::new("1.0.0").unwrap(), Arc::new(FixedClock::at(DateTime::UNIX_EPOCH)))
}

portcullis_testkit::store_conformance!(|run: &dyn Fn(&dyn Store)| {
    let (telemetry, clock) = world();
    let inner = Arc::new(Traced::new(Arc::new(MemoryStore::new())));
    run(&Metered::new(inner, StoreMetrics::register(&telemetry).unwrap(), clock));
});

portcullis_testkit::hasher_conformance!(|run: &dyn Fn(&dyn PasswordHasher)| {
    let (telemetry, clock) = world();
    let inner = Arc::new(Traced::new(Arc::new(PlainHasher::default())));
    run(&Metered::new(inner, HasherMetrics::register(&telemetry).unwrap(), clock));
});

portcullis_testkit::limiter_conformance!(|run: &dyn Fn(Limiter<'_>)| {
    let (telemetry, clock) = world();
    let inner = Arc::new(Traced::new(Arc::new(MapLimiter::new(clock.clone()))));
    let limiter = Metered::new(inner, LimiterMetrics::register(&telemetry).unwrap(), clock.clone());
    run(Limiter { limiter: &limiter, wait: &|time| clock.advance(time) });
});
