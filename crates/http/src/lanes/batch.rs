//! A lane whose jobs are done together: threads of its own take all that wait and do them in one
//! call, so that many share what one would cost. Nobody waits for company: a lone job is done at
//! once.

use super::{LaneError, LaneLoad, LaneObserver, REFUSAL_DELAY};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{io, thread};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep, timeout_at};

/// The bounds of a batch lane.
#[derive(Debug, Clone, Copy)]
pub struct BatchSettings {
    /// How many calls run at once: as many threads.
    pub width: usize,
    /// How many jobs go into one call at most.
    pub batch: usize,
    /// How many jobs may wait.
    pub queue: usize,
    /// How long one waits at most for its call to begin.
    pub max_wait: Duration,
    /// How long a call takes at most. One that takes longer is stuck: another thread takes its
    /// thread's place, as often as the lane is wide.
    pub stuck_after: Duration,
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
    waiting: VecDeque<Waiting<J, O>>,
    /// Of the last that came.
    number: u64,
    /// The calls under way, by their threads.
    calls: BTreeMap<u64, Running>,
    /// How many threads were ever started.
    threads: u64,
    closed: bool,
}

struct Running {
    began: Instant,
    /// Whether another thread has taken the place of its own.
    replaced: bool,
}

struct Waiting<J, O> {
    number: u64,
    job: J,
    caller: Caller<O>,
}

struct Caller<O> {
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
        let state = State { waiting: VecDeque::new(), number: 0, calls: BTreeMap::new(), threads: 0, closed: false };
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
    pub fn observed_by(self, observer: Option<Arc<dyn LaneObserver>>) -> Self {
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
        let (answer, mut outcome) = channel();
        let caller = Caller { answer, since: self.0.observer.get().map(|_| Instant::now()) };
        let Some(number) = self.0.push(job, caller) else {
            Queue::replace_stuck(&self.0);
            sleep(REFUSAL_DELAY).await;
            return Err(self.full());
        };
        let patience = deadline.min(Instant::now() + self.0.settings.max_wait);
        if let Ok(outcome) = timeout_at(patience, &mut outcome).await {
            return outcome.map_err(|_| LaneError::Panicked);
        }
        let outcome = if self.0.withdraw(number) { Err(self.full()) } else { Self::finish_by(deadline, outcome).await };
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
    fn full(&self) -> LaneError {
        if let Some(observer) = self.0.observer.get() {
            observer.refused();
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
        let stuck = queue.lock().write_off(&queue.settings);
        for _ in 0..stuck {
            // Where there is no thread to be had, the stuck one comes back, or nobody does.
            let _ = Self::start_thread(queue);
        }
    }
}

impl<J, O> State<J, O> {
    /// How many calls are newly found stuck, of as many as may be.
    fn write_off(&mut self, settings: &BatchSettings) -> usize {
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
        state.waiting.push_back(Waiting { number, job, caller });
        drop(state);
        self.arrived.notify_one();
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
            self.tell_waits(&callers);
            // After a panic the callers are dropped without an outcome, which tells them.
            let outcomes = catch_unwind(AssertUnwindSafe(|| (self.call)(jobs))).unwrap_or_default();
            for (caller, outcome) in callers.into_iter().zip(outcomes) {
                // One that has gone needs none.
                let _ = caller.answer.send(outcome);
            }
            if self.lock().calls.remove(&thread).is_some_and(|call| call.replaced) {
                return;
            }
        }
    }

    fn tell_waits(&self, callers: &[Caller<O>]) {
        let Some(observer) = self.observer.get() else { return };
        callers.iter().filter_map(|caller| caller.since).for_each(|since| observer.began(since.elapsed()));
    }

    /// All that wait, up to so many, but for those whose caller has gone; waits for the first.
    /// `None` once there will be no more.
    fn take(&self, thread: u64) -> Option<(Vec<J>, Vec<Caller<O>>)> {
        let mut state = self.lock();
        loop {
            let count = self.settings.batch.max(1).min(state.waiting.len());
            let taken = state.waiting.drain(..count).filter(|waiting| !waiting.caller.answer.is_closed());
            let (jobs, callers): (Vec<_>, Vec<_>) = taken.map(|waiting| (waiting.job, waiting.caller)).unzip();
            if !jobs.is_empty() {
                state.calls.insert(thread, Running { began: Instant::now(), replaced: false });
                return Some((jobs, callers));
            }
            if state.waiting.is_empty() {
                if state.closed {
                    return None;
                }
                state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// No lock is held while foreign code runs, so that poison means nothing here.
    fn lock(&self) -> MutexGuard<'_, State<J, O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use std::pin::pin;
    use std::sync::mpsc;

    const MOMENT: Duration = Duration::from_millis(50);
    const BOUNDS: BatchSettings = BatchSettings {
        width: 1,
        batch: 4,
        queue: 8,
        max_wait: MOMENT,
        stuck_after: Duration::from_secs(60),
        retry_after: MOMENT,
    };

    fn soon() -> Instant {
        Instant::now() + 2 * MOMENT
    }

    fn in_time() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// A lane whose calls wait for a word each, tell what they got, and double it.
    fn held(settings: BatchSettings) -> (BatchLane<u32, u32>, mpsc::Sender<()>, mpsc::Receiver<Vec<u32>>) {
        let (release, word) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let (word, tell) = (Mutex::new(word), Mutex::new(tell));
        let call = move |jobs: Vec<u32>| {
            tell.lock().unwrap().send(jobs.clone()).unwrap();
            // A lane that nobody releases any more goes on.
            let _ = word.lock().unwrap().recv();
            jobs.iter().map(|job| 2 * job).collect()
        };
        (BatchLane::start("test", settings, call).unwrap(), release, told)
    }

    fn patient(queue: usize) -> BatchSettings {
        BatchSettings { queue, max_wait: Duration::from_secs(60), ..BOUNDS }
    }

    #[actix_web::test]
    async fn what_waits_goes_together_in_order_and_each_gets_its_own() {
        let (lane, release, told) = held(patient(100));
        for _ in 0..11 {
            release.send(()).unwrap();
        }
        let outcomes = join_all((0..11).map(|job| lane.run_by(in_time(), job))).await;
        assert_eq!(outcomes, (0..11).map(|job| Ok(2 * job)).collect::<Vec<_>>());
        drop(lane);
        drop(release);
        let calls: Vec<_> = told.iter().collect();
        assert!(calls.iter().all(|call| (1..=4).contains(&call.len())), "{calls:?}");
        assert_eq!(calls.concat(), (0..11).collect::<Vec<_>>());
    }

    #[actix_web::test]
    async fn a_lone_job_waits_for_nobody() {
        let lane = BatchLane::start("test", patient(1), |jobs: Vec<u32>| jobs).unwrap();
        for job in 0..100 {
            assert_eq!(lane.run_by(in_time(), job).await, Ok(job));
        }
    }

    #[actix_web::test]
    async fn a_full_lane_refuses_and_a_stuck_call_is_overdue() {
        let (lane, release, told) = held(BatchSettings { queue: 1, ..BOUNDS });
        assert_eq!(lane.run_by(soon(), 1).await, Err(LaneError::Overdue));
        assert_eq!(told.recv(), Ok(vec![1]));
        let (second, third) = tokio::join!(lane.run_by(soon(), 2), lane.run_by(soon(), 3));
        assert_eq!(third, Err(lane.full()), "there was no place");
        assert_eq!(second, Err(lane.full()), "it waited in vain, and took its job along");
        drop(release);
        assert_eq!(lane.run_by(in_time(), 4).await, Ok(8), "the lane goes on");
        assert_eq!(told.recv(), Ok(vec![4]));
    }

    #[actix_web::test]
    async fn another_takes_the_place_of_a_stuck_call_as_often_as_the_lane_is_wide() {
        let (lane, release, told) = held(BatchSettings { stuck_after: MOMENT, ..BOUNDS });
        for job in 1..3 {
            assert_eq!(lane.run_by(soon(), job).await, Err(LaneError::Overdue));
            let taken = told.recv_timeout(Duration::from_secs(10));
            assert_eq!(taken, Ok(vec![job]), "another thread took it");
        }
        assert_eq!(lane.run_by(soon(), 3).await, Err(lane.full()), "what is stuck is bounded");
        drop(release);
        assert_eq!(lane.run_by(in_time(), 4).await, Ok(8), "the lane goes on");
    }

    #[actix_web::test]
    async fn whoever_has_gone_before_the_call_is_left_out() {
        let (lane, release, told) = held(patient(8));
        {
            let mut first = pin!(lane.run_by(in_time(), 1));
            let mut gone = pin!(lane.run_by(in_time(), 2));
            assert_eq!(first.as_mut().now_or_never(), None);
            assert_eq!(told.recv(), Ok(vec![1]));
            assert_eq!(gone.as_mut().now_or_never(), None);
        }
        release.send(()).unwrap();
        release.send(()).unwrap();
        assert_eq!(lane.run_by(in_time(), 3).await, Ok(6));
        assert_eq!(told.recv(), Ok(vec![3]));
    }

    #[actix_web::test]
    async fn a_panic_costs_one_call() {
        let call = |jobs: Vec<u32>| {
            if jobs.contains(&0) { std::panic::resume_unwind(Box::new("on purpose")) } else { jobs }
        };
        let lane = BatchLane::start("test", patient(8), call).unwrap();
        assert_eq!(lane.run_by(in_time(), 0).await, Err(LaneError::Panicked));
        assert_eq!(lane.run_by(in_time(), 1).await, Ok(1));
    }

    #[actix_web::test]
    async fn what_waits_at_the_end_is_done() {
        let (lane, release, told) = held(patient(8));
        let outcomes = join_all((1..4).map(|job| lane.run_by(in_time(), job)));
        drop(release);
        assert_eq!(outcomes.await, [Ok(2), Ok(4), Ok(6)]);
        drop(lane);
        assert_eq!(told.iter().flatten().collect::<Vec<_>>(), [1, 2, 3], "and then the thread ends");
    }
}
