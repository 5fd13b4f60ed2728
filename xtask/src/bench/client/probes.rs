//! Paced probes: requests that are due at fixed times and timed from then, so that a server which
//! stalls cannot make its clients ask less often. Load without a pace is left to the closed loop.

use super::connection::Connection;
use super::flows::Flow;
use super::load::Client;
use anyhow::{Context, Result, anyhow};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The time of each probe, from when it was due to its answer, and those that were refused.
#[derive(Debug, Default, Clone)]
pub(crate) struct Probed {
    pub(crate) latencies: Vec<Duration>,
    /// Answers with 503.
    pub(crate) shed: u64,
}

/// How often, for how long at most, and what ends it before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace<'a> {
    pub(crate) a_second: u32,
    pub(crate) time: Duration,
    pub(crate) stop: &'a AtomicBool,
}

/// Nothing ends the probes before their time.
pub(crate) static NEVER: AtomicBool = AtomicBool::new(false);

/// Probes at a steady pace for a while. The clients take turns, each on a connection and a thread
/// of its own, so that one late answer does not delay the next probe.
pub(crate) fn probe(address: SocketAddr, clients: &mut [Client], pace: Pace<'_>) -> Result<Probed> {
    let start = Instant::now() + Duration::from_millis(50);
    let interval = Duration::from_secs(1) / pace.a_second.max(1);
    let stride = interval * u32::try_from(clients.len()).context("too many clients")?;
    thread::scope(|scope| {
        let threads = clients.iter_mut().zip(0_u32..).map(|(client, number)| {
            let turn = Turn { first: start + interval * number, stride, end: start + pace.time, stop: pace.stop };
            scope.spawn(move || one(address, client.as_mut(), &turn))
        });
        // Collected, since threads that are joined as they start would run one after another.
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

/// When one of the clients probes.
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
