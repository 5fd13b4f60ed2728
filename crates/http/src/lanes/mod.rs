//! The hop from the async world to a blocking thread, bounded in number and time: a storm on one
//! resource never starves another.

mod batch;
mod span;

pub use batch::{BatchLane, BatchSettings};

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tracing::Span;

/// The bounds of a lane.
#[derive(Debug, Clone, Copy)]
pub struct LaneSettings {
    /// How many jobs run at once.
    pub width: usize,
    /// How many more may wait.
    pub queue: usize,
    /// How long one waits at most for its turn.
    pub max_wait: Duration,
    /// How long a caller waits at most in all. A job that runs goes on without it, and is written
    /// off: others get its place, as many as the lane is wide. A job beyond those holds its place
    /// until it is done, so that stuck threads are replaced, and bounded all the same.
    pub deadline: Duration,
    /// What a caller who finds no place is told to wait.
    pub retry_after: Duration,
}

/// A refusal waits this long: callers that come back at once would cost more than the work that
/// they are refused for.
const REFUSAL_DELAY: Duration = Duration::from_millis(25);

/// How a lane is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLoad {
    /// The jobs, or the calls of several jobs, that run.
    pub running: usize,
    /// The jobs that wait.
    pub waiting: usize,
}

/// Is told of what passes a lane. Never waits.
pub trait LaneObserver: Send + Sync {
    /// A job began that had waited so long.
    fn on_start(&self, waited: Duration);
    /// A job found no place, or waited in vain.
    fn on_rejected(&self);
}

/// A bounded way to blocking threads.
pub struct Lane {
    name: &'static str,
    settings: LaneSettings,
    observer: Option<Arc<dyn LaneObserver>>,
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// The places of jobs that are written off.
    abandoned: Arc<Semaphore>,
}

/// What a job holds while it runs: a turn and a place, or a place among the lost; nothing once
/// it is done.
struct JobPermits {
    held: Mutex<Option<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>>,
    lost: Arc<Semaphore>,
}

/// The job's side of it.
struct JobGuard(Arc<JobPermits>);

/// The caller's side. Whether it got an answer or went away: at the deadline the job's place is
/// given to others.
struct CallerGuard {
    hold: Arc<JobPermits>,
    deadline: Instant,
}

/// Why a job gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LaneError {
    /// The lane was full, or nobody left in time. The job was not begun.
    Full {
        /// When there may be a place.
        retry_after: Duration,
    },
    /// The job took too long. It goes on, and its outcome is unknown.
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
    /// A lane within the bounds.
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

    /// The same, with a name that traces tell.
    #[must_use]
    pub fn with_name(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// The same, with somebody who is told of what passes.
    #[must_use]
    pub fn with_observer(self, observer: Option<Arc<dyn LaneObserver>>) -> Self {
        Self { observer, ..self }
    }

    /// What tells how the lane is used, for as long as anybody asks.
    pub fn load(&self) -> impl Fn() -> LaneLoad + Send + Sync + use<> {
        let (running, places) = (self.running.clone(), self.places.clone());
        let width = self.settings.width.max(1);
        let all = width.saturating_add(self.settings.queue);
        move || {
            let busy = width.saturating_sub(running.available_permits());
            LaneLoad { running: busy, waiting: all.saturating_sub(places.available_permits()).saturating_sub(busy) }
        }
    }

    /// Runs a job on a blocking thread, in the caller's span or one within it. A caller that goes away before the
    /// job began takes it along; after that it is finished.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LaneError> {
        self.run_by(self.deadline(), job).await
    }

    /// When a caller who comes now has waited long enough.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.settings.deadline
    }

    /// The same for a caller who came before, and waited elsewhere.
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

    /// Delays the answer of a caller who was refused behind the lane, as the lane would have. It
    /// holds a place meanwhile: the next caller is refused here, for a fraction of the work.
    pub(crate) async fn delay(&self) {
        let _place = self.places.try_acquire();
        sleep(REFUSAL_DELAY).await;
    }

    /// What a caller is told who was given no turn.
    pub(crate) fn rejection(&self) -> LaneError {
        LaneError::Full { retry_after: self.settings.retry_after }
    }

    /// Where there is a place, and in time, tells how long it took; else that there was none.
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
    /// Gives the place of a job that is not done to others, where there is room among the lost.
    fn abandon(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_some()
            && let Ok(lost) = self.lost.clone().try_acquire_owned()
        {
            *held = Some((lost, None));
        }
    }

    fn is_done(&self) -> bool {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

impl Drop for JobGuard {
    fn drop(&mut self) {
        *self.0.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
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
    async fn who_was_refused_behind_the_lane_holds_a_place_until_it_hears_so() {
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
