//! Paced probes: requests that are due at fixed times and timed from then, so that a stalled server
//! does not slow down its clients (coordinated omission). `load` is the closed loop without a pace.

use super::connection::Connection;
use super::flows::Flow;
use super::load::Client;
use anyhow::{Context, Result, anyhow};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Time of each probe, from when it was due to its response, and the number of refusals.
#[derive(Debug, Default, Clone)]
pub(crate) struct Probed {
    pub(crate) latencies: Vec<Duration>,
    /// Responses with 503.
    pub(crate) shed: u64,
}

/// Probes per second, maximum duration, and a flag that stops them earlier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace<'a> {
    pub(crate) a_second: u32,
    pub(crate) time: Duration,
    pub(crate) stop: &'a AtomicBool,
}

/// Flag that never stops the probes.
pub(crate) static NEVER: AtomicBool = AtomicBool::new(false);

/// Sends probes at a steady pace. The clients alternate, each with its own connection and thread, so
/// that one late response does not delay the next probe.
pub(crate) fn probe(address: SocketAddr, clients: &mut [Client], pace: Pace<'_>) -> Result<Probed> {
    let start = Instant::now() + Duration::from_millis(50);
    let interval = Duration::from_secs(1) / pace.a_second.max(1);
    let stride = interval * u32::try_from(clients.len()).context("too many clients")?;
    thread::scope(|scope| {
        let threads = clients.iter_mut().zip(0_u32..).map(|(client, number)| {
            let turn = Turn { first: start + interval * number, stride, end: start + pace.time, stop: pace.stop };
            scope.spawn(move || one(address, client.as_mut(), &turn))
        });
        // Collected first: joining each thread as it starts would run them one after another.
        let threads: Vec<_> = threads.collect();
        let mut all = Probed::default();
        for thread in threads {
            let probed = thread.join().map_err(|_| anyhow!("a probe panicked"))??;
            all.latencies.extend(probed.latencies);
            all.shed += probed.shed;
        }
        Ok(all)
    })
}

/// Sends probes until the work is done.
pub(crate) fn probe_during(
    address: SocketAddr,
    clients: &mut [Client],
    pace: Pace<'_>,
    work: impl FnOnce() -> Result<()>,
) -> Result<Probed> {
    let stop = AtomicBool::new(false);
    let pace = Pace { stop: &stop, ..pace };
    thread::scope(|scope| {
        let probes = scope.spawn(move || probe(address, clients, pace));
        let worked = work();
        stop.store(true, Ordering::Relaxed);
        let probed = probes.join().map_err(|_| anyhow!("a probe panicked"))??;
        worked.map(|()| probed)
    })
}

/// Schedule of one client.
struct Turn<'a> {
    first: Instant,
    stride: Duration,
    end: Instant,
    stop: &'a AtomicBool,
}

fn one(address: SocketAddr, client: &mut dyn Flow, turn: &Turn<'_>) -> Result<Probed> {
    let mut connection = Connection::open(address)?;
    let (mut probed, mut due) = (Probed::default(), turn.first);
    while due < turn.end && !turn.stop.load(Ordering::Relaxed) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let answer = connection.call(client)?;
        if answer.status == 503 {
            probed.shed += 1;
        } else {
            client.answer(answer.status, connection.body(&answer))?;
            probed.latencies.push(due.elapsed());
        }
        due += turn.stride;
    }
    Ok(probed)
}
