//! The threads, and how they come to an end.

use crate::notifier::{Notifier, RunningGuard};
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Work in pieces, done by several threads at once.
pub trait Job: Send + Sync {
    /// Does one piece, if there is one, and says what comes next. Bounded in time: a worker that
    /// stops waits for it.
    fn run(&self) -> NextStep;
}

/// What a thread does after a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Another piece: there may be one.
    Continue,
    /// Wait for the notifier, and look again when the pace says so.
    Wait,
    /// Rest for so long, whoever rings: there is no use in trying before.
    Sleep(Duration),
}

/// How many threads, and how often they look for work that nobody rang for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSettings {
    /// So many pieces at once.
    pub threads: NonZeroUsize,
    /// The longest wait.
    pub poll: Duration,
    /// How long a thread that waited lets the work lie: whoever rang has its answer by then, and
    /// how long that took tells nothing of what there was to do.
    pub delay: Duration,
}

/// Threads at work until stopped or dropped.
///
/// ```
/// use portcullis_worker::{Notifier, Job, NextStep, WorkerSettings, Worker};
/// use std::{num::NonZeroUsize, sync::{Arc, mpsc}, time::Duration};
/// struct Tell(mpsc::Sender<()>);
/// impl Job for Tell {
///     fn run(&self) -> NextStep {
///         self.0.send(()).ok();
///         NextStep::Wait
///     }
/// }
/// let (sender, told) = mpsc::channel();
/// let settings = WorkerSettings { threads: NonZeroUsize::MIN, poll: Duration::from_secs(3600), delay: Duration::ZERO };
/// let notifier = Notifier::default();
/// let worker = Worker::start("example", &notifier, settings, Arc::new(Tell(sender)))?;
/// told.recv()?;
/// notifier.notify_one();
/// told.recv()?;
/// assert!(worker.stop(Duration::from_secs(60)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Worker {
    notifier: Notifier,
}

impl Worker {
    /// Starts the threads, which bear that name, look for work at once and then listen to the
    /// notifier.
    ///
    /// # Errors
    /// When the system gives no thread; those that began end again.
    pub fn start(name: &'static str, notifier: &Notifier, pace: WorkerSettings, job: Arc<dyn Job>) -> io::Result<Self> {
        let worker = Self { notifier: notifier.clone() };
        for _ in 0..pace.threads.get() {
            let (notifier, job, presence) = (notifier.clone(), job.clone(), notifier.register());
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || work(name, &notifier, pace, &*job, presence))?;
        }
        Ok(worker)
    }

    /// Has the threads end when the piece they are at is done, and waits so long for it; whether
    /// they did.
    #[must_use]
    pub fn stop(&self, within: Duration) -> bool {
        self.notifier.stop();
        self.notifier.ended(within)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.notifier.stop();
    }
}

fn work(name: &'static str, notifier: &Notifier, pace: WorkerSettings, job: &dyn Job, presence: RunningGuard) {
    while !notifier.is_stopping() {
        let next = catch_unwind(AssertUnwindSafe(|| job.run())).unwrap_or_else(|_| {
            // What it was about lies in the log already. At once it would panic again.
            tracing::error!(target: "app", worker = name, "A piece of work panicked: the thread goes on");
            NextStep::Sleep(pace.poll)
        });
        let goes_on = match next {
            NextStep::Continue => true,
            NextStep::Wait => notifier.wait(pace.poll) && notifier.pause(pace.delay),
            NextStep::Sleep(length) => notifier.pause(length),
        };
        if !goes_on {
            break;
        }
    }
    drop(presence);
}
