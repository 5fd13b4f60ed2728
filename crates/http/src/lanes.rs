//! The hop from the async world to a blocking thread, bounded in number and time: a storm on one
//! resource never starves another.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The bounds of a lane.
#[derive(Debug, Clone, Copy)]
pub struct LaneSettings {
    /// How many jobs run at once.
    pub width: usize,
    /// How many more may wait.
    pub queue: usize,
    /// How long one waits at most for its turn.
    pub max_wait: Duration,
    /// How long a caller waits at most in all. A job that runs goes on without it, and holds its
    /// place until it is done, so that stuck threads stay bounded.
    pub deadline: Duration,
    /// What a caller who finds no place is told to wait.
    pub retry_after: Duration,
}

/// A bounded way to blocking threads.
pub struct Lane {
    settings: LaneSettings,
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
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

impl Lane {
    /// A refusal waits this long: callers that come back at once would cost more than the work
    /// that they are refused for.
    const REFUSAL_DELAY: Duration = Duration::from_millis(25);

    /// A lane within the bounds.
    #[must_use]
    pub fn new(settings: LaneSettings) -> Self {
        let width = settings.width.max(1);
        Self {
            settings,
            running: Arc::new(Semaphore::new(width)),
            places: Arc::new(Semaphore::new(width.saturating_add(settings.queue))),
        }
    }

    /// Runs a job on a blocking thread, in the caller's span. A caller that goes away before the
    /// job began takes it along; after that it is finished.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LaneError> {
        let deadline = Instant::now() + self.settings.deadline;
        let permits = self.admit().await?;
        let span = tracing::Span::current();
        let running = tokio::task::spawn_blocking(move || {
            let _held = permits;
            span.in_scope(job)
        });
        match timeout_at(deadline, running).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) => Err(LaneError::Panicked),
            Err(_) => Err(LaneError::Overdue),
        }
    }

    fn full(&self) -> LaneError {
        LaneError::Full { retry_after: self.settings.retry_after }
    }

    async fn admit(&self) -> Result<[OwnedSemaphorePermit; 2], LaneError> {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            sleep(Self::REFUSAL_DELAY).await;
            return Err(self.full());
        };
        match timeout(self.settings.max_wait, self.running.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok([place, turn]),
            Ok(Err(_)) | Err(_) => Err(self.full()),
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
    async fn a_full_lane_refuses_and_a_stuck_job_keeps_its_place() {
        let lane = lane(1, 0);
        let (release, held) = mpsc::channel::<()>();
        let stuck = lane.run(move || held.recv().is_ok()).await;
        assert_eq!(stuck, Err(LaneError::Overdue));
        assert_eq!(lane.run(|| 1).await, Err(lane.full()));
        drop(release);
        let _freed = lane.running.acquire().await.unwrap();
    }

    #[actix_web::test]
    async fn one_may_wait_for_its_turn_but_not_for_ever() {
        let lane = lane(1, 1);
        let (release, held) = mpsc::channel::<()>();
        assert_eq!(lane.run(move || held.recv().is_ok()).await, Err(LaneError::Overdue));
        assert_eq!(lane.run(|| 1).await, Err(lane.full()), "waited in vain");
        release.send(()).unwrap();
        assert_eq!(lane.run(|| 2).await, Ok(2), "waited and got its turn");
    }

    #[actix_web::test]
    async fn a_panic_costs_one_job_and_no_place() {
        let lane = lane(1, 0);
        assert_eq!(lane.run(|| std::panic::resume_unwind(Box::new(()))).await, Err::<(), _>(LaneError::Panicked));
        assert_eq!(lane.run(|| 3).await, Ok(3));
    }
}
