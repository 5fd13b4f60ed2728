//! Runs the use cases under random faults, thousands of times: clients, thieves, a store that fails at any
//! call, process crashes and clock jumps, all chosen by one seed. No threads, sockets, files or real clocks
//! are involved, so a seed always replays the same run.
//!
//! `PORTCULLIS_SIMULATION_SEEDS=100000` runs more seeds. `PORTCULLIS_SIMULATION_SEED=7` runs one and prints
//! its trace.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failed step fails the test"
)]

mod answer_checker;
mod apps;
mod circuit;
mod clients;
mod coverage;
mod fault_plan;
mod hasher;
mod node;
mod request;
mod rng;
mod rows;
mod run;
mod signer;
mod spec;
mod store;
mod world;

use coverage::Coverage;
use run::simulate;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Number of seeds in every test run.
const BASE: u64 = 2000;

#[expect(clippy::disallowed_methods, reason = "a test reads which seeds it should run")]
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}: not a number: {text}")))
}

#[test]
fn every_promise_holds_whatever_goes_wrong() {
    if let Some(seed) = number("PORTCULLIS_SIMULATION_SEED") {
        return run_alone(seed);
    }
    let seeds = number("PORTCULLIS_SIMULATION_SEEDS").unwrap_or(BASE);
    let (next, workers) = (AtomicU64::new(0), thread::available_parallelism().map_or(1, usize::from));
    let run_some = || {
        let mut coverage = Coverage::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return Ok(coverage);
            }
            coverage.merge(simulate(seed, false).map_err(|_| seed)?);
        }
    };
    let ends = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(run_some)).collect();
        workers.into_iter().map(|worker| worker.join().expect("the simulation itself failed")).collect::<Vec<_>>()
    });
    let mut all = Coverage::default();
    for end in ends {
        match end {
            Ok(coverage) => all.merge(coverage),
            Err(seed) => run_alone(seed),
        }
    }
    println!("{seeds} seeds: {:#?}", all.0);
    assert!(seeds < BASE || all.missing().is_empty(), "never met: {:?}", all.missing());
}

/// Runs a seed again and prints its trace.
fn run_alone(seed: u64) {
    match simulate(seed, true) {
        Ok(coverage) => println!("seed {seed}: {:#?}", coverage.0),
        Err(wrong) => panic!(
            "seed {seed}:\n{}\n{}\nreplay: PORTCULLIS_SIMULATION_SEED={seed} cargo test -p portcullis-app --test simulation",
            wrong.trace.join("\n"),
            wrong.what
        ),
    }
}

#[test]
fn a_seed_is_one_run() {
    for seed in [1, 2, 3] {
        let run = || simulate(seed, false).map(|coverage| coverage.0).map_err(|wrong| wrong.what);
        assert_eq!(run(), run());
    }
    assert_ne!(simulate(1, false).map(|c| c.0).ok(), simulate(2, false).map(|c| c.0).ok());
}
