//! Threads that do nothing but hash: as many as are given, with a bounded queue before them. An
//! async runtime's blocking threads would start every hash of a storm at once and end none.

use crate::{
    computation::{Computation, Digest},
    cost::Cost,
    queue::Queue,
};
use portcullis_ports::HasherError;
use std::{
    io,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};
use tracing::Span;

/// How many hashes are made and how many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// The threads: as many as there are cores, as a rule.
    pub threads: NonZeroUsize,
    /// How many jobs may wait while all threads are busy.
    pub waiting: NonZeroUsize,
    /// What a caller who finds no place is told to wait.
    pub retry_after: Duration,
}

impl PoolSize {
    /// Room for as many jobs as the threads finish within `wait`, going by the
    /// [typical time](Cost::typical_time) of a hash.
    #[must_use]
    pub fn for_wait(cost: Cost, threads: NonZeroUsize, wait: Duration) -> Self {
        let each = wait.as_nanos() / cost.typical_time().as_nanos().max(1);
        let jobs = usize::try_from(each).unwrap_or(usize::MAX).saturating_mul(threads.get());
        Self { threads, waiting: NonZeroUsize::new(jobs).unwrap_or(NonZeroUsize::MIN), retry_after: wait }
    }
}

/// What makes a digest.
type Kernel = dyn Fn(&Computation) -> Digest + Send + Sync;

struct Job {
    computation: Computation,
    span: Span,
    reply: SyncSender<Digest>,
}

pub(crate) struct Pool {
    queue: Arc<Queue<Job>>,
    threads: Vec<JoinHandle<()>>,
    retry_after: Duration,
}

impl Pool {
    pub(crate) fn start(size: PoolSize, kernel: Arc<Kernel>) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(size.waiting));
        // Filled one by one: dropped half full, it ends the threads that did start.
        let mut pool = Self { queue, threads: Vec::new(), retry_after: size.retry_after };
        for number in 0..size.threads.get() {
            let (queue, kernel) = (Arc::clone(&pool.queue), Arc::clone(&kernel));
            let thread = Builder::new().name(format!("bcrypt-{number}")).spawn(move || serve(&queue, &*kernel))?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Has a thread make the digest, and waits for it.
    pub(crate) fn run(&self, computation: Computation) -> Result<Digest, HasherError> {
        let (reply, answer) = sync_channel(1);
        if !self.queue.push(Job { computation, span: Span::current(), reply }) {
            return Err(HasherError::Busy { retry_after: self.retry_after });
        }
        answer.recv().map_err(|_| HasherError::Failed("the hash thread panicked".to_owned()))
    }
}

/// Takes jobs until the queue is closed. A job that panics loses its reply and nothing else.
fn serve(queue: &Queue<Job>, kernel: &Kernel) {
    while let Some(Job { computation, span, reply }) = queue.pop() {
        let digest = span.in_scope(|| catch_unwind(AssertUnwindSafe(|| kernel(&computation))));
        drop(computation);
        if let Ok(digest) = digest {
            // A caller who is gone has no use for it.
            let _ = reply.send(digest);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // It can only have ended well: jobs' panics are caught.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
