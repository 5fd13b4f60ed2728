//! Lanes: bounded queues from async code to blocking threads. Each limits concurrency, queue length and
//! waiting time, so that overload of one resource cannot starve another.

mod batch;
mod outbound;
mod span;

pub use batch::{BatchLane, BatchSettings};
pub use outbound::OutboundLanes;

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tracing::Span;

/// Limits of a lane.
#[derive(Debug, Clone, Copy)]
pub struct LaneSettings {
    /// Maximum number of running jobs.
    pub width: usize,
    /// Maximum number of waiting jobs.
    pub queue: usize,
    /// Maximum time a job waits for its permit.
    pub max_wait: Duration,
    /// Maximum total time a caller waits. A job that exceeds it continues, but other jobs get its
    /// permits. Up to `width` stuck jobs are replaced. Further ones keep their permits, so the number
    /// of threads stays bounded.
    pub deadline: Duration,
    /// Time a rejected client is asked to wait.
    pub retry_after: Duration,
}

/// Delay of a rejection: clients that retry at once would cost more than the rejected work.
pub(crate) const REFUSAL_DELAY: Duration = Duration::from_millis(25);

/// Current load of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLoad {
    /// Number of running jobs; in a batch lane, of running calls.
    pub running: usize,
    /// Number of waiting jobs.
    pub waiting: usize,
}

/// Observer of the jobs of a lane. Implementations must not block.
pub trait LaneObserver: Send + Sync {
    /// Called when a job starts, with the time it waited.
    fn on_start(&self, waited: Duration);
    /// Called when a job is rejected because the lane was full or it waited too long.
    fn on_rejected(&self);
}

/// A bounded queue to blocking threads.
pub struct Lane {
    name: &'static str,
    settings: LaneSettings,
    observer: Option<Arc<dyn LaneObserver>>,
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// Permits for stuck jobs that are abandoned.
    abandoned: Arc<Semaphore>,
}

/// Permits of a job: one to run and one for the queue, or one for abandoned jobs. Empty once it is
/// done.
struct JobPermits {
    held: Mutex<Option<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>>,
    lost: Arc<Semaphore>,
}

/// Releases the permits when the job ends.
struct JobGuard(Arc<JobPermits>);

/// Gives the job's permits to other jobs at the deadline, even if the caller no longer waits.
struct CallerGuard {
    hold: Arc<JobPermits>,
    deadline: Instant,
}

/// Reason why a job returned no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LaneError {
    /// The lane was full, or no permit became free in time. The job did not start.
    Full {
        /// Time after which a permit may be free.
        retry_after: Duration,
    },
    /// The job took too long. It continues, and its outcome is unknown.
    Overdue,
    /// The job panicked.
    Panicked,
}

impl LaneError {
    fn as_str(self) -> &'static str {
        match self {
            Self::Full { .. } => "full",
            Self::Overdue => "overdue",
            Self::Panicked => "panicked",
        }
    }
}

impl Lane {
    /// Creates a lane with these limits.
    #[must_use]
    pub fn new(settings: LaneSettings) -> Self {
        let width = settings.width.max(1);
        Self {
            name: "",
            settings,
            observer: None,
            running: Arc::new(Semaphore::new(width)),
            places: Arc::new(Semaphore::new(width.saturating_add(settings.queue))),
            abandoned: Arc::new(Semaphore::new(width)),
        }
    }

    /// Sets the name used in traces.
    #[must_use]
    pub fn with_name(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// Sets the observer, if any.
    #[must_use]
    pub fn with_observer(self, observer: Option<Arc<dyn LaneObserver>>) -> Self {
        Self { observer, ..self }
    }

    /// Returns a function that reports the current load.
    pub fn load(&self) -> impl Fn() -> LaneLoad + Send + Sync + use<> {
        let (running, places) = (self.running.clone(), self.places.clone());
        let width = self.settings.width.max(1);
        let all = width.saturating_add(self.settings.queue);
        move || {
            let busy = width.saturating_sub(running.available_permits());
            LaneLoad { running: busy, waiting: all.saturating_sub(places.available_permits()).saturating_sub(busy) }
        }
    }

    /// Runs a job on a blocking thread, in the caller's span or a child of it. If the caller is
    /// cancelled before the job starts, the job is dropped; after that it runs to its end.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LaneError> {
        self.run_by(self.deadline(), job).await
    }

    /// Returns the deadline of a caller that arrives now.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.settings.deadline
    }

    /// Like [`Lane::run`], with the deadline of a caller that has already waited elsewhere.
    pub(crate) async fn run_by<T: Send + 'static>(
        &self,
        deadline: Instant,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LaneError> {
        let waiting = span::of_job(self.name);
        let outcome = self.run_in(&waiting, deadline, job).await;
        if let Err(error) = &outcome {
            waiting.record("error.type", error.as_str());
        }
        outcome
    }

    async fn run_in<T: Send + 'static>(
        &self,
        waiting: &Span,
        deadline: Instant,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LaneError> {
        let hold = Arc::new(self.admit(waiting).await?);
        let span = if waiting.is_disabled() { Span::current() } else { waiting.clone() };
        let held = JobGuard(Arc::clone(&hold));
        let running = tokio::task::spawn_blocking(move || {
            let _held = held;
            span.in_scope(job)
        });
        let _waiting = CallerGuard { hold, deadline };
        match timeout_at(deadline, running).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) => Err(LaneError::Panicked),
            Err(_) => Err(LaneError::Overdue),
        }
    }

    /// Delays a rejection by the resource behind the lane, such as a busy hasher, as the lane delays
    /// its own rejections. Holds a queue permit during the delay, so that the lane rejects the next
    /// caller at a fraction of the cost.
    pub(crate) async fn delay(&self) {
        let _place = self.places.try_acquire();
        sleep(REFUSAL_DELAY).await;
    }

    /// Returns the error for a job that got no permit.
    pub(crate) fn rejection(&self) -> LaneError {
        LaneError::Full { retry_after: self.settings.retry_after }
    }

    /// Acquires the permits, and reports the waiting time or the rejection.
    async fn admit(&self, span: &Span) -> Result<JobPermits, LaneError> {
        if self.observer.is_none() && span.is_disabled() {
            return self.enter().await;
        }
        let since = Instant::now();
        let entered = self.enter().await;
        let waited = since.elapsed();
        span.record("portcullis.lane.wait_seconds", waited.as_secs_f64());
        if let Some(observer) = &self.observer {
            if entered.is_ok() { observer.on_start(waited) } else { observer.on_rejected() }
        }
        entered
    }

    async fn enter(&self) -> Result<JobPermits, LaneError> {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            sleep(REFUSAL_DELAY).await;
            return Err(self.rejection());
        };
        match timeout(self.settings.max_wait, self.running.clone().acquire_owned()).await {
            Ok(Ok(turn)) => {
                Ok(JobPermits { held: Mutex::new(Some((turn, Some(place)))), lost: self.abandoned.clone() })
            }
            Ok(Err(_)) | Err(_) => Err(self.rejection()),
        }
    }
}

impl JobPermits {
    /// Gives the permits of an unfinished job to others, if another job may be abandoned.
    fn abandon(&self) {
        let mut held = self.held.lock();
        if held.is_some()
            && let Ok(lost) = self.lost.clone().try_acquire_owned()
        {
            *held = Some((lost, None));
        }
    }

    fn is_done(&self) -> bool {
        self.held.lock().is_none()
    }
}

impl Drop for JobGuard {
    fn drop(&mut self) {
        *self.0.held.lock() = None;
    }
}

impl Drop for CallerGuard {
    fn drop(&mut self) {
        if self.hold.is_done() {
            return;
        }
        let (hold, deadline) = (Arc::clone(&self.hold), self.deadline);
        if Instant::now() >= deadline {
            hold.abandon();
        } else if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                sleep_until(deadline).await;
                hold.abandon();
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn lane(width: usize, queue: usize) -> Lane {
        let moment = Duration::from_millis(50);
        Lane::new(LaneSettings { width, queue, max_wait: moment, deadline: 2 * moment, retry_after: moment })
    }

    #[actix_web::test]
    async fn a_stuck_job_is_replaced_as_often_as_there_are_places() {
        let lane = lane(1, 0);
        let stuck = || {
            let (release, held) = mpsc::channel::<()>();
            (release, move || held.recv().is_ok())
        };
        let ((first, job), (second, other)) = (stuck(), stuck());
        assert_eq!(lane.run(job).await, Err(LaneError::Overdue));
        assert_eq!(lane.run(|| 1).await, Ok(1), "in its stead");
        assert_eq!(lane.run(other).await, Err(LaneError::Overdue));
        assert_eq!(lane.run(|| 2).await, Err(lane.rejection()), "what is stuck is bounded");
        drop(first);
        drop(second);
        let _freed = lane.running.acquire().await.unwrap();
        let _found = lane.abandoned.acquire().await.unwrap();
    }

    #[actix_web::test]
    async fn a_stuck_job_is_replaced_though_its_caller_went_away() {
        let lane = lane(1, 0);
        let (_release, held) = mpsc::channel::<()>();
        let caller = lane.run(move || held.recv().is_ok());
        assert!(timeout(Duration::from_millis(10), caller).await.is_err());
        assert_eq!(lane.running.available_permits(), 0);
        let _replaced = lane.running.acquire().await.unwrap();
    }

    #[actix_web::test]
    async fn one_may_wait_for_its_turn_but_not_for_ever() {
        let lane = lane(1, 1);
        let _lost = lane.abandoned.clone().try_acquire_owned().unwrap();
        let (release, held) = mpsc::channel::<()>();
        assert_eq!(lane.run(move || held.recv().is_ok()).await, Err(LaneError::Overdue));
        assert_eq!(lane.run(|| 1).await, Err(lane.rejection()), "waited in vain");
        release.send(()).unwrap();
        assert_eq!(lane.run(|| 2).await, Ok(2), "waited and got its turn");
    }

    #[actix_web::test]
    async fn caller_refused_behind_the_lane_holds_a_permit_until_answered() {
        let lane = lane(1, 0);
        let began = Instant::now();
        let (_, refused) = tokio::join!(lane.delay(), lane.run(|| 1));
        assert_eq!(refused, Err(lane.rejection()));
        assert!(began.elapsed() >= REFUSAL_DELAY);
        assert_eq!(lane.run(|| 2).await, Ok(2));
    }

    #[actix_web::test]
    async fn a_panic_costs_one_job_and_no_place() {
        let lane = lane(1, 0);
        assert_eq!(lane.run(|| std::panic::resume_unwind(Box::new(()))).await, Err::<(), _>(LaneError::Panicked));
        assert_eq!(lane.run(|| 3).await, Ok(3));
    }
}
