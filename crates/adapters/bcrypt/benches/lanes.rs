//! Time to compute several hashes together: `cargo bench -p portcullis-bcrypt`. Times are per batch.
//! The time per hash is the time divided by the lanes, and it falls as long as another lane pays off.

#![expect(clippy::unwrap_used, reason = "a failed step ends the measurement")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use portcullis_bcrypt::Cost;
use portcullis_bcrypt::kernel::{Input, MAX_LANES, together};
use std::hint::black_box;

/// Low, to keep a batch short; each step doubles the time.
const COST: u32 = 5;
const KEY: &[u8] = b"correct horse battery staple\0";

fn lanes(criterion: &mut Criterion) {
    let (cost, salts) = (Cost::new(COST).unwrap(), [7; MAX_LANES].map(|byte| [byte; 16]));
    let mut group = criterion.benchmark_group("bcrypt");
    group.throughput(Throughput::Elements(1));
    group.bench_function("the crate, 1 lane", |b| {
        b.iter(|| bcrypt::bcrypt(cost.get(), black_box([7; 16]), black_box(KEY)));
    });
    for count in 1..=MAX_LANES {
        let inputs: Vec<_> = salts.iter().take(count).map(|salt| Input { salt, key: KEY }).collect();
        group.throughput(Throughput::Elements(count.try_into().unwrap()));
        group.bench_function(format!("the kernel, {count} lanes"), |b| {
            b.iter(|| together(cost, black_box(&inputs)));
        });
    }
    group.finish();
}

criterion_group!(benches, lanes);
criterion_main!(benches);
