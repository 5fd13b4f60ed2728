//! Threads that do nothing but hash: as many as are given, with a bounded queue before them. An
//! async runtime's blocking threads would start every hash of a storm at once and end none.

use crate::{
    computation::{Computation, Digest},
    lanes::{LaneTiming, Lanes},
    queue::Queue,
};
use portcullis_ports::{CancellationToken, Clock, HasherError};
use std::{
    io,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};
use tracing::Span;

/// How many hashes are made and how many wait.
#[derive(Debug, Clone, Copy)]
pub struct PoolSettings {
    /// The threads: as many as there are cores, as a rule.
    pub threads: NonZeroUsize,
    /// How many hashes a thread makes together; where nobody says, what a short measurement at
    /// the start finds best.
    pub lanes: Option<Lanes>,
    /// How much work may wait, in time: what the threads finish within it finds room. Who finds
    /// none is told to wait as long, and a job that has waited half as long again is refused.
    pub wait: Duration,
    /// What each thread does first: lower its priority, for one.
    pub on_start: fn(),
}

/// A job that has waited no longer finds its thread free: it is made for whoever asked, also for a
/// caller who has only said that it will ask nothing more.
const CANCEL_GRACE: Duration = Duration::from_millis(20);

/// What makes digests, of computations that are alike.
type Kernel = dyn Fn(&[&Computation]) -> Vec<Digest> + Send + Sync;

struct Job {
    computation: Computation,
    cancellation: CancellationToken,
    /// When it began to wait.
    since: Duration,
    /// The caller's. It is let go before the caller goes on: fields are dropped in their order.
    span: Span,
    /// Dropped without an answer, it refuses.
    reply: SyncSender<Result<Digest, HasherError>>,
}

/// What the threads share with those who wait.
struct Shared {
    queue: Queue<Job>,
    settings: PoolSettings,
    lanes: Lanes,
    /// How long a full batch takes, in nanoseconds: at first as measured, then as it was of late.
    batch: AtomicU64,
    clock: Arc<dyn Clock>,
}

pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    pub(crate) fn start(
        settings: PoolSettings,
        pace: LaneTiming,
        clock: Arc<dyn Clock>,
        kernel: Arc<Kernel>,
    ) -> io::Result<Self> {
        let batch = AtomicU64::new(nanoseconds(pace.batch));
        let shared = Shared { queue: Queue::new(), settings, lanes: pace.lanes, batch, clock };
        // Filled one by one: dropped half full, it ends the threads that did start.
        let mut pool = Self { shared: Arc::new(shared), threads: Vec::new() };
        for number in 0..settings.threads.get() {
            let (shared, kernel) = (Arc::clone(&pool.shared), Arc::clone(&kernel));
            let thread = Builder::new().name(format!("bcrypt-{number}")).spawn(move || {
                (settings.on_start)();
                shared.serve(&*kernel);
            })?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Has a thread make the digest, and waits for it.
    pub(crate) fn run(
        &self,
        computation: Computation,
        cancellation: &CancellationToken,
    ) -> Result<Digest, HasherError> {
        let (reply, answer) = sync_channel(1);
        let (cancellation, since) = (cancellation.clone(), self.shared.clock.monotonic());
        let job = Job { computation, cancellation, since, span: Span::current(), reply };
        // A job that finds no room is dropped, and so is its end of the channel.
        self.shared.queue.push(job, self.shared.room());
        answer.recv().unwrap_or(Err(HasherError::Busy { retry_after: self.shared.settings.wait }))
    }

    pub(crate) fn lanes(&self) -> Lanes {
        self.shared.lanes
    }

    /// What tells how many jobs wait, for as long as anybody asks.
    pub(crate) fn waiting(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move || shared.queue.len()
    }

    /// How many jobs find a place: with the threads, and waiting.
    pub(crate) fn places(&self) -> NonZeroUsize {
        let at_once = self.shared.settings.threads.saturating_mul(self.shared.lanes.get());
        at_once.saturating_add(self.shared.room())
    }
}

impl Shared {
    /// How many jobs all threads finish within the time that one may wait.
    fn room(&self) -> usize {
        let batch = u128::from(self.batch.load(Ordering::Relaxed)).max(1);
        let at_once = self.settings.threads.get().saturating_mul(self.lanes.get().get());
        let time = self.settings.wait.as_nanos().saturating_mul(u128::try_from(at_once).unwrap_or(u128::MAX));
        usize::try_from(time / batch).unwrap_or(usize::MAX).max(1)
    }

    /// Takes jobs until the queue is closed. A panic fails a job, and the thread goes on.
    fn serve(&self, kernel: &Kernel) {
        let longest = self.settings.wait + self.settings.wait / 2;
        let is_over = |job: &Job, now: Duration| {
            let waited = now.saturating_sub(job.since);
            waited > longest || waited > CANCEL_GRACE && job.cancellation.is_cancelled()
        };
        let alike = |one: &Job, other: &Job| one.computation.is_like(&other.computation);
        loop {
            let Some(jobs) = self.queue.pop(self.lanes.get().get(), alike, |job| is_over(job, self.clock.monotonic()))
            else {
                return;
            };
            self.make(kernel, jobs);
        }
    }

    /// Makes the digests of jobs that are alike. Where making several panics, each is made alone,
    /// so that only the one that is to blame fails.
    fn make(&self, kernel: &Kernel, jobs: Vec<Job>) {
        let Some(first) = jobs.first() else { return };
        // Whose panic several share is told by nobody's request.
        let span = if jobs.len() == 1 { first.span.clone() } else { Span::none() };
        let traced: Vec<_> = jobs.iter().map(|job| job.begun(jobs.len())).collect();
        let computations: Vec<_> = jobs.iter().map(|job| &job.computation).collect();
        let start = self.clock.monotonic();
        let digests = span.in_scope(|| catch_unwind(AssertUnwindSafe(|| kernel(&computations))));
        drop((traced, span));
        let Ok(digests) = digests else {
            let alone = jobs.len() == 1;
            for job in jobs {
                if alone {
                    job.answer(Err(HasherError::Failed("the hash thread panicked".to_owned())));
                } else {
                    self.make(kernel, vec![job]);
                }
            }
            return;
        };
        if jobs.len() == self.lanes.get().get() && first.computation.cost <= first.computation.no_faster_than {
            self.learn(self.clock.monotonic().saturating_sub(start));
        }
        jobs.into_iter().zip(digests).for_each(|(job, digest)| job.answer(Ok(digest)));
    }

    /// Counts the last batch for a quarter, so that one that was disturbed changes little.
    fn learn(&self, batch: Duration) {
        let old = self.batch.load(Ordering::Relaxed);
        // Two threads at once may lose one of two measurements: the next makes up for it.
        self.batch.store(old - old / 4 + nanoseconds(batch) / 4, Ordering::Relaxed);
    }
}

impl Job {
    /// A span of what its thread does, beside as many others. None, where traces are not sent.
    fn begun(&self, together: usize) -> Span {
        let parent = self.span.id();
        tracing::error_span!(target: "app.traces", parent: parent, "bcrypt", portcullis.batch.size = together)
    }

    fn answer(self, outcome: Result<Digest, HasherError>) {
        let Self { span, reply, .. } = self;
        drop(span);
        // A caller who is gone has no use for it.
        let _ = reply.send(outcome);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.queue.close();
        for thread in self.threads.drain(..) {
            // It can only have ended well: jobs' panics are caught.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
