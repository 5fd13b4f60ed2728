//! The queue between those who log and the thread that writes: bounded in bytes, never waited
//! for. What does not fit is dropped and counted. Under the lock there is a copy at most, never
//! a write.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How much may wait, in bytes: some twenty thousand lines.
pub(super) const CAPACITY: usize = 4 * 1024 * 1024;

/// Lines wait in blocks of so many bytes, which are used again: one buffer that grows and shrinks
/// with each burst leaves holes in the heap of whoever made it grow.
const BLOCK: usize = 64 * 1024;

/// The writer rests so long after it has written, or until a block is full: a thread that wakes up
/// for each line costs those who log more than the line does.
pub(super) const BATCH_INTERVAL: Duration = Duration::from_millis(5);

/// How many blocks there are at least, from the start on. A burst that takes one more takes it out of
/// the holes of the heap, and what those were for enlarges the heap then.
const MIN_BLOCKS: usize = 8;

/// Lines that wait for the writer.
#[derive(Debug)]
pub(super) struct LogQueue {
    state: Mutex<State>,
    /// Told when there is something to write, or an end.
    work: Condvar,
    /// Told when the writer has ended, or has written what somebody waits for.
    end: Condvar,
    capacity: usize,
    rest: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines, in their order.
    blocks: Vec<Vec<u8>>,
    /// In the blocks, in bytes.
    waiting: usize,
    spare: Vec<Vec<u8>>,
    dropped: Dropped,
    /// Whether the writer rests, and looks by itself what has come.
    resting: bool,
    flush: Flush,
    closed: bool,
    ended: bool,
}

/// How far the writer is with what somebody waits for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Flush {
    /// Nobody waits.
    #[default]
    No,
    /// It is in the queue.
    Asked,
    /// It is being written.
    Taken,
}

/// How many lines were dropped.
#[derive(Debug, Default, Clone, Copy)]
struct Dropped {
    ever: u64,
    /// Of those, how many the writer has not been told of.
    unreported: u64,
}

/// What the writer is to do next.
pub(super) struct Batch {
    /// How many lines were dropped since the last batch.
    pub(super) dropped: u64,
    /// Whether nothing comes after it.
    pub(super) last: bool,
}

impl State {
    fn append(&mut self, line: &[u8]) {
        self.waiting += line.len();
        match self.blocks.last_mut() {
            Some(block) if block.len() + line.len() <= block.capacity() => block.extend_from_slice(line),
            _ => {
                let mut block = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(BLOCK));
                block.extend_from_slice(line);
                self.blocks.push(block);
            }
        }
    }

    /// Keeps some of the blocks for later lines. One that a long line made larger goes.
    fn reuse(&mut self, blocks: &mut Vec<Vec<u8>>) {
        for mut block in blocks.drain(..) {
            if self.spare.len() < MIN_BLOCKS && block.capacity() == BLOCK {
                block.clear();
                self.spare.push(block);
            }
        }
    }
}

impl LogQueue {
    pub(super) fn new(capacity: usize, rest: Duration) -> Self {
        // Only memory that was written to is there.
        let block = || {
            let mut block = vec![b'\n'; BLOCK];
            block.clear();
            block
        };
        let state = State { spare: std::iter::repeat_with(block).take(MIN_BLOCKS).collect(), ..State::default() };
        Self { state: Mutex::new(state), work: Condvar::new(), end: Condvar::new(), capacity, rest }
    }

    /// Takes a line, or drops it.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        let before = state.waiting;
        if !state.closed && state.waiting + line.len() <= self.capacity {
            state.append(line);
        } else {
            state.dropped.ever += 1;
            state.dropped.unreported += 1;
        }
        // A writer that has lines before it does not wait.
        let due = if state.resting { before < BLOCK && state.waiting >= BLOCK } else { before == 0 };
        drop(state);
        if due {
            self.work.notify_one();
        }
    }

    /// Takes back the blocks that are written, rests, waits for lines and gives them all. For the
    /// writer.
    pub(super) fn take(&self, blocks: &mut Vec<Vec<u8>>) -> Batch {
        let calm = |state: &State| state.flush != Flush::Asked && !state.closed;
        let idle = |state: &mut State| state.waiting == 0 && state.dropped.unreported == 0 && calm(state);
        let mut state = self.lock();
        state.reuse(blocks);
        if state.flush == Flush::Taken {
            state.flush = Flush::No;
            self.end.notify_all();
        }
        state.resting = true;
        let rested = self.work.wait_timeout_while(state, self.rest, |state| state.waiting < BLOCK && calm(state));
        let mut state = rested.unwrap_or_else(PoisonError::into_inner).0;
        state.resting = false;
        let mut state = self.work.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.blocks, blocks);
        state.waiting = 0;
        if state.flush == Flush::Asked {
            state.flush = Flush::Taken;
        }
        let dropped = std::mem::take(&mut state.dropped.unreported);
        Batch { dropped, last: state.closed }
    }

    /// Counts lines that the writer could not write.
    pub(super) fn count_lost(&self, lines: u64) {
        self.lock().dropped.ever += lines;
    }

    /// How many lines were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped.ever
    }

    /// Backoff until the writer has written what is told so far, or for that long: whether it has.
    pub(super) fn flush(&self, within: Duration) -> bool {
        let mut state = self.lock();
        state.flush = Flush::Asked;
        self.work.notify_one();
        let waits = |state: &mut State| state.flush != Flush::No && !state.ended;
        let waited = self.end.wait_timeout_while(state, within, waits);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Takes no more lines, and waits until the writer has written the rest, or for that long.
    pub(super) fn close(&self, within: Duration) {
        let mut state = self.lock();
        state.closed = true;
        self.work.notify_one();
        drop(self.end.wait_timeout_while(state, within, |state| !state.ended));
    }

    /// The writer writes no more.
    pub(super) fn ended(&self) {
        self.lock().ended = true;
        self.end.notify_all();
    }

    /// Nothing that holds the lock can panic halfway, so a poisoned one is as good as new.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    const LONG: Duration = Duration::from_secs(60);

    /// A writer that rests, and what it takes, as soon as it does: the lines, and whether they are
    /// the last.
    fn resting(queue: &Arc<LogQueue>) -> Receiver<(Vec<u8>, bool)> {
        let (taken, takes) = channel();
        let writer = Arc::clone(queue);
        thread::spawn(move || {
            let mut blocks = Vec::new();
            let last = writer.take(&mut blocks).last;
            taken.send((blocks.concat(), last))
        });
        while !queue.lock().resting {
            thread::yield_now();
        }
        takes
    }

    #[test]
    fn a_full_block_and_the_end_wake_a_writer_that_rests() {
        let queue = Arc::new(LogQueue::new(CAPACITY, 2 * LONG));
        let takes = resting(&queue);
        let line = [b'x'; 1000];
        (0..=BLOCK / line.len()).for_each(|_| queue.push(&line));
        assert!(takes.recv_timeout(LONG).is_ok_and(|(lines, last)| lines.len() > BLOCK && !last));
        let takes = resting(&queue);
        queue.push(b"one\n");
        queue.close(Duration::ZERO);
        assert_eq!(takes.recv_timeout(LONG), Ok((b"one\n".to_vec(), true)));
    }

    #[test]
    fn a_flush_ends_a_rest_and_waits_for_what_was_told_before_it() {
        let (queue, written) = (Arc::new(LogQueue::new(CAPACITY, 2 * LONG)), Arc::new(Mutex::new(Vec::new())));
        let writer = thread::spawn({
            let (queue, written) = (Arc::clone(&queue), Arc::clone(&written));
            move || {
                let mut blocks = Vec::new();
                while !queue.take(&mut blocks).last {
                    thread::yield_now();
                    written.lock().unwrap().extend(blocks.concat());
                }
                queue.ended();
            }
        });
        for lines in 1..100 {
            queue.push(b"line\n");
            assert!(queue.flush(LONG));
            assert_eq!(*written.lock().unwrap(), b"line\n".repeat(lines));
        }
        assert!(queue.flush(LONG), "with nothing to write");
        queue.close(LONG);
        assert!(queue.flush(LONG), "after the end");
        writer.join().unwrap();
    }

    #[test]
    fn a_flush_waits_no_longer_than_it_may() {
        assert!(!LogQueue::new(CAPACITY, LONG).flush(Duration::from_millis(1)));
    }

    #[test]
    fn lines_that_come_during_a_rest_are_taken_together_at_its_end() {
        let queue = Arc::new(LogQueue::new(CAPACITY, Duration::from_millis(200)));
        let takes = resting(&queue);
        queue.push(b"one\n");
        queue.push(b"two\n");
        assert_eq!(takes.recv_timeout(LONG), Ok((b"one\ntwo\n".to_vec(), false)));
    }

    #[test]
    fn lines_keep_their_order_across_blocks_and_a_burst_leaves_as_many_as_there_were() {
        let (queue, mut blocks) = (LogQueue::new(CAPACITY, Duration::ZERO), Vec::new());
        assert_eq!(queue.lock().spare.len(), MIN_BLOCKS);
        // The blocks of a take come back at the next one, and are used in the round after it.
        for _ in 0..3 {
            let lines: Vec<_> = (0..10 * BLOCK / 100).map(|number| format!("{number:0>99}\n")).collect();
            lines.iter().for_each(|line| queue.push(line.as_bytes()));
            queue.push(&[b'x'; 2 * BLOCK]);
            queue.take(&mut blocks);
            let all = [lines.concat().into_bytes(), vec![b'x'; 2 * BLOCK]].concat();
            assert!(blocks.concat() == all && blocks.len() > MIN_BLOCKS);
        }
        queue.close(Duration::ZERO);
        assert!(queue.take(&mut blocks).last);
        let state = queue.lock();
        assert!(state.spare.len() == MIN_BLOCKS && state.spare.iter().all(|block| block.capacity() == BLOCK));
    }
}
