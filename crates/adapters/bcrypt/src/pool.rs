//! Dedicated hash threads with a bounded queue. The blocking threads of an async runtime would start
//! every hash of a login storm at once and finish none in time.

use crate::{
    computation::{Computation, Digest},
    lanes::{LaneTiming, Lanes},
    queue::Queue,
};
use portcullis_ports::{CANCEL_GRACE, CancellationToken, Clock, HasherError};
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

/// Settings of the hash threads.
#[derive(Debug, Clone, Copy)]
pub struct PoolSettings {
    /// Number of threads, usually the number of cores.
    pub threads: NonZeroUsize,
    /// Number of hashes a thread computes together. `None` measures the best number at the start.
    pub lanes: Option<Lanes>,
    /// Maximum length of the queue, as time: it holds the jobs that the threads finish within this
    /// time. Refused callers get it as `retry_after`. A job that has waited 1.5 times as long is
    /// dropped.
    pub wait: Duration,
    /// Called first on every thread, for example to lower its priority.
    pub on_start: fn(),
}

/// Computes the digests of a batch in which all computations have the same costs.
type Kernel = dyn Fn(&[&Computation]) -> Vec<Digest> + Send + Sync;

/// Computation that waits for a thread, and the channel for its result.
struct Job {
    computation: Computation,
    cancellation: CancellationToken,
    /// Start of the wait, by the monotonic clock.
    since: Duration,
    /// The caller's span. Declared before `reply` so that it is dropped before the caller continues.
    span: Span,
    /// Dropping it without a reply refuses the job.
    reply: SyncSender<Result<Digest, HasherError>>,
}

/// State shared by threads and callers.
struct Shared {
    queue: Queue<Job>,
    settings: PoolSettings,
    lanes: Lanes,
    /// Duration of a full batch in nanoseconds: measured at the start, then a moving average.
    batch: AtomicU64,
    clock: Arc<dyn Clock>,
}

/// Hash threads and their queue. Dropping the pool stops the threads.
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
        // Dropping a half-filled pool stops the threads that did start.
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

    /// Computes the digest on a hash thread and waits for it.
    pub(crate) fn run(
        &self,
        computation: Computation,
        cancellation: &CancellationToken,
    ) -> Result<Digest, HasherError> {
        let (reply, answer) = sync_channel(1);
        let (cancellation, since) = (cancellation.clone(), self.shared.clock.monotonic());
        let job = Job { computation, cancellation, since, span: Span::current(), reply };
        // If the queue is full, the job is dropped, which closes the channel.
        self.shared.queue.push(job, self.shared.room());
        answer.recv().unwrap_or(Err(HasherError::Busy { retry_after: self.shared.settings.wait }))
    }

    pub(crate) fn lanes(&self) -> Lanes {
        self.shared.lanes
    }

    /// Returns a function that counts the waiting jobs.
    pub(crate) fn waiting(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move || shared.queue.len()
    }

    /// Returns the maximum number of jobs: running and waiting.
    pub(crate) fn places(&self) -> NonZeroUsize {
        let at_once = self.shared.settings.threads.saturating_mul(self.shared.lanes.get());
        at_once.saturating_add(self.shared.room())
    }
}

impl Shared {
    /// Returns how many jobs all threads finish within the maximum wait.
    fn room(&self) -> usize {
        let batch = u128::from(self.batch.load(Ordering::Relaxed)).max(1);
        let at_once = self.settings.threads.get().saturating_mul(self.lanes.get().get());
        let time = self.settings.wait.as_nanos().saturating_mul(u128::try_from(at_once).unwrap_or(u128::MAX));
        usize::try_from(time / batch).unwrap_or(usize::MAX).max(1)
    }

    /// Runs jobs until the queue is closed. A panic fails its job, and the thread continues.
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

    /// Computes the digests of jobs with the same costs. If a batch panics, each job is computed again
    /// alone, so that only the faulty one fails.
    fn make(&self, kernel: &Kernel, jobs: Vec<Job>) {
        let Some(first) = jobs.first() else { return };
        // A panic of several jobs belongs to no single request.
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

    /// Updates the moving average of the batch duration. The last batch has a weight of 1/4, so a
    /// single slow batch changes little.
    fn learn(&self, batch: Duration) {
        let old = self.batch.load(Ordering::Relaxed);
        // A concurrent update may lose one measurement. The next batch corrects that.
        self.batch.store(old - old / 4 + nanoseconds(batch) / 4, Ordering::Relaxed);
    }
}

impl Job {
    /// Creates a span for the part of the job that runs on the hash thread. Disabled if traces are off.
    fn begun(&self, together: usize) -> Span {
        let (parent, together) = (self.span.id(), i64::try_from(together).unwrap_or(i64::MAX));
        tracing::error_span!(target: "app.traces", parent: parent, "bcrypt", portcullis.batch.size = together)
    }

    fn answer(self, outcome: Result<Digest, HasherError>) {
        let Self { span, reply, .. } = self;
        drop(span);
        // The caller may no longer wait.
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
            // Panics of jobs are caught, so the thread cannot have panicked.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
