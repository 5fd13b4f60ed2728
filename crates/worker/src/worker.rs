//! Worker threads and their shutdown.

use crate::notifier::{Notifier, RunningGuard};
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Background job, split into units of work that several threads can run concurrently.
pub trait Job: Send + Sync {
    /// Runs one unit of work, if there is any, and returns the next step. Its duration must be
    /// bounded, because a stopping worker waits for it.
    fn run(&self) -> NextStep;
}

/// Next step of a thread after a unit of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Run again at once: there may be more work.
    Continue,
    /// Wait for a notification, or for the polling interval.
    Wait,
    /// Sleep for this duration, regardless of notifications, because an earlier attempt would be
    /// useless.
    Sleep(Duration),
}

/// Number of threads and their timing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Maximum number of concurrent units of work.
    pub threads: NonZeroUsize,
    /// Polling interval: the longest wait without a notification.
    pub poll: Duration,
    /// Delay before a thread that waited starts work. The client has its response by then, so the
    /// response time reveals nothing about the work.
    pub delay: Duration,
}

/// Threads that run a job until stopped or dropped.
///
/// ```
/// use portcullis_worker::{Notifier, Job, NextStep, WorkerSettings, Worker};
/// use std::{num::NonZeroUsize, sync::{Arc, mpsc}, time::Duration};
/// struct Signal(mpsc::Sender<()>);
/// impl Job for Signal {
///     fn run(&self) -> NextStep {
///         self.0.send(()).ok();
///         NextStep::Wait
///     }
/// }
/// let (sender, receiver) = mpsc::channel();
/// let (poll, delay) = (Duration::from_secs(3600), Duration::ZERO);
/// let settings = WorkerSettings { threads: NonZeroUsize::MIN, poll, delay };
/// let notifier = Notifier::default();
/// let worker = Worker::start("example", &notifier, settings, Arc::new(Signal(sender)))?;
/// receiver.recv()?;
/// notifier.notify_one();
/// receiver.recv()?;
/// assert!(worker.stop(Duration::from_secs(60)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Worker {
    notifier: Notifier,
}

impl Worker {
    /// Starts the threads, called `name`. They run the job at once, then wait for the notifier.
    ///
    /// # Errors
    /// Returns the system's error if a thread cannot be created. Threads already started end again.
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

    /// Stops the threads after their current unit of work and waits up to `within`. Returns whether
    /// they ended.
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
            // The panic is already logged. An immediate retry would probably panic again.
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
