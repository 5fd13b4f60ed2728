//! A lane that runs waiting jobs in batches: its own threads take all queued jobs and run them in one
//! call, so that they share its cost. A single job runs at once. While a call is running, a few jobs
//! wait for its end and then run together.

use super::{LaneError, LaneLoad, LaneObserver, REFUSAL_DELAY, span};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{io, thread};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Span;

/// Limits of a batch lane.
#[derive(Debug, Clone, Copy)]
pub struct BatchSettings {
    /// Number of threads, and so of concurrent calls.
    pub width: usize,
    /// Maximum number of jobs in a call. A full batch starts its own call while another is running;
    /// fewer jobs wait for its end.
    pub batch: usize,
    /// Time after which a call counts as slow and jobs no longer wait for its end.
    pub slow_after: Duration,
    /// Maximum number of waiting jobs.
    pub queue: usize,
    /// Maximum time a job waits for its call to begin.
    pub max_wait: Duration,
    /// Time after which a call counts as stuck. Up to `width` threads with a stuck call are replaced.
    pub stuck_after: Duration,
    /// Time an idle thread polls for the next job, yielding its core, before it sleeps. Waking a thread
    /// costs more than a short call.
    pub spin: Duration,
    /// Time a rejected client is asked to wait.
    pub retry_after: Duration,
}

/// A bounded queue to threads that run jobs in batches.
pub struct BatchLane<J, O>(Arc<Queue<J, O>>);

/// Runs the jobs of a call and returns their outcomes.
type Call<J, O> = dyn Fn(Vec<J>) -> Vec<O> + Send + Sync;

struct Queue<J, O> {
    name: String,
    settings: BatchSettings,
    call: Box<Call<J, O>>,
    observer: OnceLock<Arc<dyn LaneObserver>>,
    state: Mutex<State<J, O>>,
    arrived: Condvar,
}

struct State<J, O> {
    waiting: VecDeque<QueuedJob<J, O>>,
    /// Sequence number of the last job.
    number: u64,
    /// Running calls, by thread.
    calls: BTreeMap<u64, RunningJob>,
    /// Number of threads started so far.
    threads: u64,
    /// Number of sleeping threads.
    asleep: usize,
    /// Number of sleeping threads that watch jobs waiting for the end of a call.
    watching: usize,
    closed: bool,
}

/// Call that a thread is running.
struct RunningJob {
    began: Instant,
    /// True if another thread has replaced the one that runs this call.
    replaced: bool,
}

struct QueuedJob<J, O> {
    number: u64,
    job: J,
    caller: Caller<O>,
}

/// Caller that waits for an outcome.
struct Caller<O> {
    /// Declared first, so that it is dropped, and the span ends, before the response is sent.
    span: Span,
    answer: Sender<O>,
    /// Arrival time; `None` if there is no observer or span to report to.
    since: Option<Instant>,
}

impl<J: Send + 'static, O: Send + 'static> BatchLane<J, O> {
    /// Starts the threads. `call` gets one job or more and returns one outcome for each, in order. It
    /// runs outside any request's span, so the caller must log what belongs to a request.
    ///
    /// # Errors
    /// Returns the operating system's error if a thread cannot be started.
    pub fn start(
        name: &str,
        settings: BatchSettings,
        call: impl Fn(Vec<J>) -> Vec<O> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (waiting, calls) = (VecDeque::new(), BTreeMap::new());
        let state = State { waiting, number: 0, calls, threads: 0, asleep: 0, watching: 0, closed: false };
        let (name, call, state) = (name.to_owned(), Box::new(call), Mutex::new(state));
        let lane =
            Self(Arc::new(Queue { name, settings, call, observer: OnceLock::new(), state, arrived: Condvar::new() }));
        for _ in 0..settings.width.max(1) {
            Queue::start_thread(&lane.0)?;
        }
        Ok(lane)
    }

    /// Sets the observer, unless there is one already.
    #[must_use]
    pub fn with_observer(self, observer: Option<Arc<dyn LaneObserver>>) -> Self {
        if let Some(observer) = observer {
            // The first observer stays.
            let _ = self.0.observer.set(observer);
        }
        self
    }

    /// Returns a function that reports the current load.
    pub fn load(&self) -> impl Fn() -> LaneLoad + Send + Sync + use<J, O> {
        let queue = Arc::clone(&self.0);
        move || {
            let state = queue.state.lock();
            LaneLoad { running: state.calls.len(), waiting: state.waiting.len() }
        }
    }

    /// Runs a job. If the caller is cancelled before its call begins, the job is dropped; after that it
    /// runs to its end.
    pub(crate) async fn run_by(&self, deadline: Instant, job: J) -> Result<O, LaneError> {
        let span = span::of_job(&self.0.name);
        let outcome = self.run_in(&span, deadline, job).await;
        if let Err(error) = &outcome {
            span.record("error.type", error.as_str());
        }
        outcome
    }

    async fn run_in(&self, span: &Span, deadline: Instant, job: J) -> Result<O, LaneError> {
        let (answer, mut outcome) = channel();
        let told = self.0.observer.get().is_some() || !span.is_disabled();
        let caller = Caller { span: span.clone(), answer, since: told.then(Instant::now) };
        let Some(number) = self.0.push(job, caller) else {
            Queue::replace_stuck(&self.0);
            sleep(REFUSAL_DELAY).await;
            return Err(self.rejection());
        };
        let cancellation = deadline.min(Instant::now() + self.0.settings.max_wait);
        if let Ok(outcome) = timeout_at(cancellation, &mut outcome).await {
            return outcome.map_err(|_| LaneError::Panicked);
        }
        let outcome =
            if self.0.withdraw(number) { Err(self.rejection()) } else { Self::finish_by(deadline, outcome).await };
        if matches!(outcome, Err(LaneError::Full { .. } | LaneError::Overdue)) {
            Queue::replace_stuck(&self.0);
        }
        outcome
    }

    async fn finish_by(deadline: Instant, outcome: Receiver<O>) -> Result<O, LaneError> {
        match timeout_at(deadline, outcome).await {
            Ok(outcome) => outcome.map_err(|_| LaneError::Panicked),
            Err(_) => Err(LaneError::Overdue),
        }
    }

    /// Returns the error for a job that found the queue full or waited too long, and notifies the
    /// observer.
    fn rejection(&self) -> LaneError {
        if let Some(observer) = self.0.observer.get() {
            observer.on_rejected();
        }
        LaneError::Full { retry_after: self.0.settings.retry_after }
    }
}

impl<J, O> Drop for BatchLane<J, O> {
    /// Lets the threads run the waiting jobs and then end.
    fn drop(&mut self) {
        self.0.state.lock().closed = true;
        self.0.arrived.notify_all();
    }
}

impl<J: Send + 'static, O: Send + 'static> Queue<J, O> {
    fn start_thread(queue: &Arc<Self>) -> io::Result<()> {
        let thread = {
            let mut state = queue.state.lock();
            state.threads += 1;
            state.threads
        };
        let shared = Arc::clone(queue);
        let named = thread::Builder::new().name(format!("{}-{thread}", queue.name));
        named.spawn(move || shared.serve(thread)).map(drop)
    }

    /// Replaces threads that are stuck in a call, since a driver may wait forever. Runs when a job is
    /// rejected or times out, because nothing else would detect it.
    fn replace_stuck(queue: &Arc<Self>) {
        let stuck = queue.state.lock().abandon(&queue.settings);
        for _ in 0..stuck {
            // If no thread can be started, only the end of the stuck call helps.
            let _ = Self::start_thread(queue);
        }
    }
}

impl<J, O> State<J, O> {
    /// Returns how many jobs a call would take now; 0 if they should wait for a running one.
    fn ready(&self, settings: &BatchSettings) -> usize {
        let batch = settings.batch.max(1);
        let begins = self.waiting.len() >= batch || self.until_slow(settings).is_zero();
        if begins { batch.min(self.waiting.len()) } else { 0 }
    }

    /// Returns the time until every running call is slow.
    fn until_slow(&self, settings: &BatchSettings) -> Duration {
        let left = |call: &RunningJob| settings.slow_after.saturating_sub(call.began.elapsed());
        self.calls.values().filter(|call| !call.replaced).map(left).max().unwrap_or_default()
    }

    /// Marks stuck calls as replaced, up to `width` in all. Returns how many are new.
    fn abandon(&mut self, settings: &BatchSettings) -> usize {
        let known = self.calls.values().filter(|call| call.replaced).count();
        let stuck =
            self.calls.values_mut().filter(|call| !call.replaced && call.began.elapsed() >= settings.stuck_after);
        let new = stuck.take(settings.width.max(1).saturating_sub(known));
        new.map(|call| call.replaced = true).count()
    }
}

impl<J, O> Queue<J, O> {
    /// Queues a job and returns its sequence number, or `None` if the queue is full.
    fn push(&self, job: J, caller: Caller<O>) -> Option<u64> {
        let mut state = self.state.lock();
        if state.waiting.len() >= self.settings.queue {
            return None;
        }
        state.number = state.number.wrapping_add(1);
        let number = state.number;
        state.waiting.push_back(QueuedJob { number, job, caller });
        let wanted = state.asleep > 0 && (state.watching == 0 || state.ready(&self.settings) > 0);
        drop(state);
        if wanted {
            self.arrived.notify_one();
        }
        Some(number)
    }

    /// Removes a job from the queue. Returns whether it was still there.
    fn withdraw(&self, number: u64) -> bool {
        let mut state = self.state.lock();
        let place = state.waiting.binary_search_by_key(&number, |waiting| waiting.number);
        place.ok().and_then(|place| state.waiting.remove(place)).is_some()
    }

    /// Runs calls until the lane is closed or this thread is replaced.
    fn serve(&self, thread: u64) {
        while let Some((jobs, callers)) = self.take(thread) {
            self.report_waits(&callers);
            let span = span::of_call(&self.name, callers.iter().map(|caller| &caller.span));
            // After a panic the callers are dropped without an outcome, which reports the panic to
            // them.
            let outcomes = span.in_scope(|| catch_unwind(AssertUnwindSafe(|| (self.call)(jobs))).unwrap_or_default());
            drop(span);
            for (Caller { span, answer, .. }, outcome) in callers.into_iter().zip(outcomes) {
                drop(span);
                // Fails if the caller was cancelled.
                let _ = answer.send(outcome);
            }
            if self.state.lock().calls.remove(&thread).is_some_and(|call| call.replaced) {
                return;
            }
        }
    }

    fn report_waits(&self, callers: &[Caller<O>]) {
        for Caller { span, since, .. } in callers {
            let Some(waited) = since.map(|since| since.elapsed()) else { continue };
            span.record("portcullis.lane.wait_seconds", waited.as_secs_f64());
            if let Some(observer) = self.observer.get() {
                observer.on_start(waited);
            }
        }
    }

    /// Takes up to a batch of waiting jobs, without those whose caller was cancelled. Blocks until
    /// there is one. Returns `None` once the lane is closed and empty.
    fn take(&self, thread: u64) -> Option<(Vec<J>, Vec<Caller<O>>)> {
        let (mut state, mut lingered) = (self.state.lock(), false);
        loop {
            let count = state.ready(&self.settings);
            let taken = state.waiting.drain(..count).filter(|waiting| !waiting.caller.answer.is_closed());
            let (jobs, callers): (Vec<_>, Vec<_>) = taken.map(|waiting| (waiting.job, waiting.caller)).unzip();
            if !jobs.is_empty() {
                state.calls.insert(thread, RunningJob { began: Instant::now(), replaced: false });
                return Some((jobs, callers));
            }
            if count == 0 {
                if state.closed && state.waiting.is_empty() {
                    return None;
                }
                if lingered {
                    self.sleep(&mut state);
                } else {
                    self.spin(&mut state);
                }
                lingered = !lingered;
            }
        }
    }

    fn spin(&self, state: &mut MutexGuard<'_, State<J, O>>) {
        let since = Instant::now();
        while state.ready(&self.settings) == 0 && !state.closed && since.elapsed() < self.settings.spin {
            MutexGuard::unlocked(state, thread::yield_now);
        }
    }

    fn sleep(&self, state: &mut MutexGuard<'_, State<J, O>>) {
        state.asleep += 1;
        if state.waiting.is_empty() {
            self.arrived.wait(state);
        } else {
            state.watching += 1;
            let until_slow = state.until_slow(&self.settings);
            self.arrived.wait_for(state, until_slow);
            state.watching -= 1;
        }
        state.asleep -= 1;
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
