//! A lane whose jobs are done together: threads of its own take all that wait and do them in one
//! call, so that many share what one would cost. Nobody waits for company: a lone job is done at
//! once. Where a call is under way, few jobs wait for its end, and go together then.

use super::{LaneError, LaneLoad, LaneObserver, REFUSAL_DELAY, span};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{io, thread};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Span;

/// The bounds of a batch lane.
#[derive(Debug, Clone, Copy)]
pub struct BatchSettings {
    /// How many calls run at once: as many threads.
    pub width: usize,
    /// How many jobs go into one call at most. So many are worth a call beside one that is under
    /// way; fewer wait for its end.
    pub batch: usize,
    /// From when on a call is slow, and no job waits for its end.
    pub slow_after: Duration,
    /// How many jobs may wait.
    pub queue: usize,
    /// How long one waits at most for its call to begin.
    pub max_wait: Duration,
    /// How long a call takes at most. One that takes longer is stuck: another thread takes its
    /// thread's place, as often as the lane is wide.
    pub stuck_after: Duration,
    /// How long a thread with nothing to do looks for the next job before it sleeps, ready to give
    /// its core to any other. To be woken costs more than a short call.
    pub spin: Duration,
    /// What a caller who finds no place is told to wait.
    pub retry_after: Duration,
}

/// A bounded way to threads that do jobs together.
pub struct BatchLane<J, O>(Arc<Queue<J, O>>);

/// What does the jobs of a call, and gives their outcomes.
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
    /// Of the last that came.
    number: u64,
    /// The calls under way, by their threads.
    calls: BTreeMap<u64, RunningJob>,
    /// How many threads were ever started.
    threads: u64,
    /// How many of them wait to be told of a job.
    asleep: usize,
    /// How many of those see to the jobs that wait for the end of a call.
    watching: usize,
    closed: bool,
}

struct RunningJob {
    began: Instant,
    /// Whether another thread has taken the place of its own.
    replaced: bool,
}

struct QueuedJob<J, O> {
    number: u64,
    job: J,
    caller: Caller<O>,
}

struct Caller<O> {
    /// Ends before the answer is given: the first field is dropped first.
    span: Span,
    answer: Sender<O>,
    /// When it came, where anybody is to be told.
    since: Option<Instant>,
}

impl<J: Send + 'static, O: Send + 'static> BatchLane<J, O> {
    /// Starts the threads. A call gets one job or more and gives an outcome for each, in their
    /// order. It runs in nobody's span: what is to be logged of a request is for its caller.
    ///
    /// # Errors
    /// The operating system's, when there are no threads to be had.
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

    /// The same, with somebody who is told of what passes.
    #[must_use]
    pub fn with_observer(self, observer: Option<Arc<dyn LaneObserver>>) -> Self {
        if let Some(observer) = observer {
            // Whoever came first stays.
            let _ = self.0.observer.set(observer);
        }
        self
    }

    /// What tells how the lane is used, for as long as anybody asks.
    pub fn load(&self) -> impl Fn() -> LaneLoad + Send + Sync + use<J, O> {
        let queue = Arc::clone(&self.0);
        move || {
            let state = queue.lock();
            LaneLoad { running: state.calls.len(), waiting: state.waiting.len() }
        }
    }

    /// Has a job done. A caller that goes away before its call began takes the job along; after
    /// that it is done.
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

    /// Told to whoever found no place, or waited in vain.
    fn rejection(&self) -> LaneError {
        if let Some(observer) = self.0.observer.get() {
            observer.on_rejected();
        }
        LaneError::Full { retry_after: self.0.settings.retry_after }
    }
}

impl<J, O> Drop for BatchLane<J, O> {
    /// What still waits is done; then the threads end.
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.arrived.notify_all();
    }
}

impl<J: Send + 'static, O: Send + 'static> Queue<J, O> {
    fn start_thread(queue: &Arc<Self>) -> io::Result<()> {
        let thread = {
            let mut state = queue.lock();
            state.threads += 1;
            state.threads
        };
        let shared = Arc::clone(queue);
        let named = thread::Builder::new().name(format!("{}-{thread}", queue.name));
        named.spawn(move || shared.serve(thread)).map(drop)
    }

    /// Starts threads in the place of those whose call is stuck. A driver may wait for an answer
    /// without end; for whoever finds out, nothing else would ever change.
    fn replace_stuck(queue: &Arc<Self>) {
        let stuck = queue.lock().abandon(&queue.settings);
        for _ in 0..stuck {
            // Where there is no thread to be had, the stuck one comes back, or nobody does.
            let _ = Self::start_thread(queue);
        }
    }
}

impl<J, O> State<J, O> {
    /// How many jobs go into a call that begins now; none, where they wait for the end of another.
    fn ready(&self, settings: &BatchSettings) -> usize {
        let batch = settings.batch.max(1);
        let begins = self.waiting.len() >= batch || self.until_slow(settings).is_zero();
        if begins { batch.min(self.waiting.len()) } else { 0 }
    }

    /// How long it is until every call under way is slow.
    fn until_slow(&self, settings: &BatchSettings) -> Duration {
        let left = |call: &RunningJob| settings.slow_after.saturating_sub(call.began.elapsed());
        self.calls.values().filter(|call| !call.replaced).map(left).max().unwrap_or_default()
    }

    /// How many calls are newly found stuck, of as many as may be.
    fn abandon(&mut self, settings: &BatchSettings) -> usize {
        let known = self.calls.values().filter(|call| call.replaced).count();
        let stuck =
            self.calls.values_mut().filter(|call| !call.replaced && call.began.elapsed() >= settings.stuck_after);
        let new = stuck.take(settings.width.max(1).saturating_sub(known));
        new.map(|call| call.replaced = true).count()
    }
}

impl<J, O> Queue<J, O> {
    /// Adds a job, and gives its number, if there is a place.
    fn push(&self, job: J, caller: Caller<O>) -> Option<u64> {
        let mut state = self.lock();
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

    /// Takes a job back; whether it was still there.
    fn withdraw(&self, number: u64) -> bool {
        let mut state = self.lock();
        let place = state.waiting.binary_search_by_key(&number, |waiting| waiting.number);
        place.ok().and_then(|place| state.waiting.remove(place)).is_some()
    }

    /// Does what comes, until the end, or until another thread has taken this one's place.
    fn serve(&self, thread: u64) {
        while let Some((jobs, callers)) = self.take(thread) {
            self.report_waits(&callers);
            let span = span::of_call(&self.name, callers.iter().map(|caller| &caller.span));
            // After a panic the callers are dropped without an outcome, which tells them.
            let outcomes = span.in_scope(|| catch_unwind(AssertUnwindSafe(|| (self.call)(jobs))).unwrap_or_default());
            drop(span);
            for (Caller { span, answer, .. }, outcome) in callers.into_iter().zip(outcomes) {
                drop(span);
                // One that has gone needs none.
                let _ = answer.send(outcome);
            }
            if self.lock().calls.remove(&thread).is_some_and(|call| call.replaced) {
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

    /// All that wait, up to so many, but for those whose caller has gone; waits for the first.
    /// `None` once there will be no more.
    fn take(&self, thread: u64) -> Option<(Vec<J>, Vec<Caller<O>>)> {
        let (mut state, mut lingered) = (self.lock(), false);
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
                state = if lingered { self.sleep(state) } else { self.spin(state) };
                lingered = !lingered;
            }
        }
    }

    fn spin<'q>(&'q self, mut state: MutexGuard<'q, State<J, O>>) -> MutexGuard<'q, State<J, O>> {
        let since = Instant::now();
        while state.ready(&self.settings) == 0 && !state.closed && since.elapsed() < self.settings.spin {
            drop(state);
            thread::yield_now();
            state = self.lock();
        }
        state
    }

    fn sleep<'q>(&'q self, mut state: MutexGuard<'q, State<J, O>>) -> MutexGuard<'q, State<J, O>> {
        state.asleep += 1;
        let mut state = if state.waiting.is_empty() {
            self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner)
        } else {
            state.watching += 1;
            let until_slow = state.until_slow(&self.settings);
            let woken = self.arrived.wait_timeout(state, until_slow);
            let (mut state, _) = woken.unwrap_or_else(PoisonError::into_inner);
            state.watching -= 1;
            state
        };
        state.asleep -= 1;
        state
    }

    /// No lock is held while foreign code runs, so that poison means nothing here.
    fn lock(&self) -> MutexGuard<'_, State<J, O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
