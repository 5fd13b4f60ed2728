//! Measures how many hashes this machine computes with nothing around them: the baseline for login
//! storms. Lanes share a thread, as on the hash threads. One lane uses the crate `bcrypt`, as the
//! service does with `HASH_LANES=1`.
//!
//! `cargo run --release -p portcullis-bcrypt --example raw_bcrypt -- --cost 12 --seconds 5 --lanes 6 --threads 2`
//! prints one JSON object: `{"lanes":6,"threads":2,"cost":12,"hashes":n,"seconds":s,"cpu_seconds":c}`.
//! It runs for at least the given seconds, since started hashes are finished.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a tool for developers: it measures real time, and a failed step ends it"
)]

use portcullis_bcrypt::{
    Cost,
    kernel::{Input, MAX_LANES, together},
};
use rustix::time::{ClockId, clock_gettime};
use std::{
    hint::black_box,
    io::{Write, stdout},
    thread,
    time::{Duration, Instant},
};

const KEY: &[u8] = b"correct horse battery staple\0";

fn argument(name: &str, default: u32) -> u32 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next().map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} takes a whole number")))
}

fn hash(lanes: u32, cost: Cost, salt: &[u8; 16]) {
    match usize::try_from(lanes).unwrap() {
        1 => drop(black_box(bcrypt::bcrypt(cost.get(), *salt, KEY))),
        lanes @ 2..=MAX_LANES => drop(black_box(together(cost, &vec![Input { salt, key: KEY }; lanes]))),
        _ => panic!("--lanes is 1 to {MAX_LANES}"),
    }
}

/// Hashes until the time is over. Returns the number of hashes.
fn work(lanes: u32, cost: Cost, time: Duration) -> u32 {
    let start = Instant::now();
    let mut hashes = 0_u32;
    while start.elapsed() < time {
        hash(lanes, cost, &[hashes.to_le_bytes()[0]; 16]);
        hashes += lanes;
    }
    hashes
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

fn main() {
    let cores = thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap());
    let (lanes, threads) = (argument("--lanes", 6), argument("--threads", cores));
    let cost = Cost::new(argument("--cost", 12)).unwrap_or_else(|| panic!("--cost is 4 to 31"));
    let time = Duration::from_secs(argument("--seconds", 5).into());
    let (start, before) = (Instant::now(), processor_time());
    let hashes: u32 = thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(move || work(lanes, cost, time))).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let (seconds, spent) = (start.elapsed().as_secs_f64(), (processor_time() - before).as_secs_f64());
    let cost = cost.get();
    let line = format!(
        r#"{{"lanes":{lanes},"threads":{threads},"cost":{cost},"hashes":{hashes},"seconds":{seconds:.3},"cpu_seconds":{spent:.3}}}"#
    );
    stdout().write_all((line + "\n").as_bytes()).unwrap();
}
