//! Closed loop: each client sends its next request after the response to the last one. One thread
//! drives all clients. `probes` sends load at a fixed pace.

use super::connection::{Connection, TIMEOUT};
use super::flows::Flow;
use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A boxed flow: the clients of a run may use different flows.
pub(crate) type Client = Box<dyn Flow>;

/// Duration of a measurement and of the warm-up before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// Results of a closed loop in its window.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sample {
    pub(crate) elapsed: Duration,
    /// Time until each expected response.
    pub(crate) latencies: Vec<Duration>,
    /// Refusals with 503. The client retries after `Retry-After`.
    pub(crate) shed: u64,
    /// CPU time of the server and everything else that the meter reads.
    pub(crate) cpu: Duration,
    /// CPU time of this client, which was not available to the server.
    pub(crate) client_cpu: Duration,
}

/// State of one client.
struct Seat {
    connection: Connection,
    sent: Instant,
    /// Time to send the next request, or `None` while one is in flight.
    due: Option<Instant>,
    waiting: bool,
    /// Body of the 503 response to the request that is being retried.
    refusal: Option<String>,
}

/// Drives the clients through the window. `meter` reads the CPU time at both ends.
pub(crate) fn drive(
    address: SocketAddr,
    clients: &mut [Client],
    window: Window,
    meter: &dyn Fn() -> Result<Duration>,
) -> Result<Sample> {
    let mut engine = Engine::connect(address, clients)?;
    engine.run(Phase::Send, window.warm_up)?;
    // The window begins and ends with a response: if an operation takes 250 ms, a partial one at either
    // end would be one percent of the total.
    engine.run(Phase::NextAnswer, TIMEOUT)?;
    engine.sample = Sample::default();
    let (cpu, started, own) = (meter()?, Instant::now(), own_cpu()?);
    engine.run(Phase::Send, window.measured)?;
    engine.run(Phase::NextAnswer, TIMEOUT)?;
    engine.sample.elapsed = started.elapsed();
    engine.sample.client_cpu = own_cpu()?.saturating_sub(own);
    engine.sample.cpu = meter()?.saturating_sub(cpu);
    let sample = std::mem::take(&mut engine.sample);
    // Waits for every response, so that each chain has its newest token for the next window.
    engine.run(Phase::Drain, TIMEOUT)?;
    ensure!(engine.seats.iter().all(|seat| !seat.waiting), "no response within {TIMEOUT:?}");
    Ok(sample)
}

/// Returns the CPU time of this thread so far.
fn own_cpu() -> Result<Duration> {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).context("cannot read the thread's clock")
}

/// Phase of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Clients send for a fixed time.
    Send,
    /// Clients send until one has a response.
    NextAnswer,
    /// Clients send no more; ends when each has its response.
    Drain,
}

struct Engine<'a> {
    clients: &'a mut [Client],
    seats: Vec<Seat>,
    sockets: Vec<TcpStream>,
    sample: Sample,
}

impl<'a> Engine<'a> {
    fn connect(address: SocketAddr, clients: &'a mut [Client]) -> Result<Self> {
        let mut seats = Vec::with_capacity(clients.len());
        let mut sockets = Vec::with_capacity(clients.len());
        for _ in clients.iter() {
            let connection = Connection::open(address)?;
            connection.set_nonblocking()?;
            sockets.push(connection.socket()?);
            let now = Instant::now();
            seats.push(Seat { connection, sent: now, due: Some(now), waiting: false, refusal: None });
        }
        Ok(Self { clients, seats, sockets, sample: Sample::default() })
    }

    /// Serves the sockets until the phase or the time is over.
    fn run(&mut self, phase: Phase, time: Duration) -> Result<()> {
        let (end, sending, before) = (Instant::now() + time, phase != Phase::Drain, self.sample.latencies.len());
        // Taken out, so that the poll list does not borrow `self`, which is written to.
        let sockets = std::mem::take(&mut self.sockets);
        let mut list: Vec<_> = sockets.iter().map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
        let mut outcome = Ok(());
        while outcome.is_ok() {
            let now = Instant::now();
            let over = match phase {
                Phase::Send => false,
                Phase::NextAnswer => self.sample.latencies.len() > before,
                Phase::Drain => self.seats.iter().all(|seat| !seat.waiting),
            };
            if over || now >= end {
                break;
            }
            if sending {
                outcome = self.send_due(now);
            }
            let until = self.next_due().filter(|_| sending).map_or(end, |due| due.min(end));
            outcome = outcome.and_then(|()| self.serve(&mut list, until.saturating_duration_since(now), sending));
        }
        drop(list);
        self.sockets = sockets;
        outcome
    }

    fn next_due(&self) -> Option<Instant> {
        self.seats.iter().filter_map(|seat| seat.due).min()
    }

    fn send_due(&mut self, now: Instant) -> Result<()> {
        for (seat, client) in self.seats.iter_mut().zip(self.clients.iter_mut()) {
            if seat.due.is_some_and(|due| due <= now) {
                seat.send(client.as_mut())?;
            }
        }
        Ok(())
    }

    /// Waits for responses and processes them.
    fn serve(&mut self, list: &mut [PollFd<'_>], patience: Duration, sending: bool) -> Result<()> {
        let patience = Timespec::try_from(patience).context("invalid time limit")?;
        match poll(list, Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let clients = self.clients.iter_mut().zip(self.seats.iter_mut()).zip(list.iter());
        for ((client, seat), _) in clients.filter(|(_, socket)| !socket.revents().is_empty()) {
            if let Some(outcome) = seat.receive(client.as_mut())? {
                match outcome {
                    Received::Wanted(time) => self.sample.latencies.push(time),
                    Received::Shed => self.sample.shed += 1,
                }
                if sending && seat.due.is_none() {
                    seat.send(client.as_mut())?;
                } else if seat.due.is_none() {
                    seat.due = Some(seat.sent);
                }
            }
        }
        Ok(())
    }
}

enum Received {
    Wanted(Duration),
    Shed,
}

impl Seat {
    fn send(&mut self, client: &mut dyn Flow) -> Result<()> {
        self.sent = Instant::now();
        self.connection.send(client)?;
        (self.due, self.waiting) = (None, true);
        Ok(())
    }

    /// Returns `None` while the response is incomplete.
    fn receive(&mut self, client: &mut dyn Flow) -> Result<Option<Received>> {
        let Some(answer) = self.connection.receive()? else {
            return Ok(None);
        };
        self.waiting = false;
        if answer.status == 503 {
            self.due = Some(Instant::now() + Duration::from_secs(answer.retry_after.unwrap_or(1)));
            self.refusal = Some(String::from_utf8_lossy(self.connection.body(&answer)).into_owned());
            return Ok(Some(Received::Shed));
        }
        let time = self.sent.elapsed();
        let refusal = self.refusal.take();
        client.head(self.connection.head(&answer));
        let taken = client.answer(answer.status, self.connection.body(&answer));
        match refusal {
            // A refused request may have been executed nevertheless.
            Some(body) => taken.with_context(|| format!("retried after status 503: {body}"))?,
            None => taken?,
        }
        Ok(Some(Received::Wanted(time)))
    }
}
