//! The threads, and how they come to an end.

use crate::bell::{Bell, Presence};
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Work in pieces, done by several threads at once.
pub trait Job: Send + Sync {
    /// Does one piece, if there is one, and says what comes next. Bounded in time: a worker that
    /// stops waits for it.
    fn run(&self) -> Next;
}

/// What a thread does after a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another piece: there may be one.
    Again,
    /// Wait for the bell, and look again when the pace says so.
    Wait,
    /// Rest for so long, whoever rings: there is no use in trying before.
    Rest(Duration),
}

/// How many threads, and how often they look for work that nobody rang for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
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
/// use portcullis_worker::{Bell, Job, Next, BatchSize, Worker};
/// use std::{num::NonZeroUsize, sync::{Arc, mpsc}, time::Duration};
/// struct Tell(mpsc::Sender<()>);
/// impl Job for Tell {
///     fn run(&self) -> Next {
///         self.0.send(()).ok();
///         Next::Wait
///     }
/// }
/// let (sender, told) = mpsc::channel();
/// let pace = BatchSize { threads: NonZeroUsize::MIN, poll: Duration::from_secs(3600), delay: Duration::ZERO };
/// let bell = Bell::default();
/// let worker = Worker::start("example", &bell, pace, Arc::new(Tell(sender)))?;
/// told.recv()?;
/// bell.notify_worker();
/// told.recv()?;
/// assert!(worker.stop(Duration::from_secs(60)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Worker {
    bell: Bell,
}

impl Worker {
    /// Starts the threads, which bear that name, look for work at once and then listen to the
    /// bell.
    ///
    /// # Errors
    /// When the system gives no thread; those that began end again.
    pub fn start(name: &'static str, bell: &Bell, pace: Pace, job: Arc<dyn Job>) -> io::Result<Self> {
        let worker = Self { bell: bell.clone() };
        for _ in 0..pace.threads.get() {
            let (bell, job, presence) = (bell.clone(), job.clone(), bell.enter());
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || work(name, &bell, pace, &*job, presence))?;
        }
        Ok(worker)
    }

    /// Has the threads end when the piece they are at is done, and waits so long for it; whether
    /// they did.
    #[must_use]
    pub fn stop(&self, within: Duration) -> bool {
        self.bell.stop();
        self.bell.ended(within)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.bell.stop();
    }
}

fn work(name: &'static str, bell: &Bell, pace: Pace, job: &dyn Job, presence: Presence) {
    while !bell.is_stopping() {
        let next = catch_unwind(AssertUnwindSafe(|| job.run())).unwrap_or_else(|_| {
            // What it was about lies in the log already. At once it would panic again.
            tracing::error!(target: "app", worker = name, "A piece of work panicked: the thread goes on");
            Next::Rest(pace.poll)
        });
        let goes_on = match next {
            Next::Again => true,
            Next::Wait => bell.wait(pace.poll) && bell.pause(pace.delay),
            Next::Rest(length) => bell.pause(length),
        };
        if !goes_on {
            break;
        }
    }
    drop(presence);
}
