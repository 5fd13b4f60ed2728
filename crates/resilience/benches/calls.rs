//! Overhead of a circuit breaker per call: `cargo bench -p portcullis-resilience`.

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis_resilience::{BreakerSettings, CircuitBreaker};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn calls(criterion: &mut Criterion) {
    let closed = CircuitBreaker::new(BreakerSettings::default());
    let call = |breaker: &CircuitBreaker| breaker.call(|| Ok::<u64, u64>(black_box(7))).is_ok();
    criterion.bench_function("call, closed", |b| b.iter(|| call(&closed)));
    let open = CircuitBreaker::new(BreakerSettings::default().with_failure_threshold(1));
    let _failed = open.call(|| Err::<u64, u64>(7));
    criterion.bench_function("call, open", |b| b.iter(|| call(&open)));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                call(&closed);
            }
        });
        criterion.bench_function("call, closed, with a busy neighbour", |b| b.iter(|| call(&closed)));
        done.store(true, Ordering::Relaxed);
    });
}

criterion_group!(benches, calls);
criterion_main!(benches);
