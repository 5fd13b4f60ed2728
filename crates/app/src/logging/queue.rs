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

/// How many blocks stay after a burst.
const KEPT: usize = 4;

/// Lines that wait for the writer.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told when there is something to write, or an end.
    work: Condvar,
    /// Told when the writer has ended.
    end: Condvar,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines, in their order.
    blocks: Vec<Vec<u8>>,
    /// In the blocks, in bytes.
    waiting: usize,
    spare: Vec<Vec<u8>>,
    dropped: Dropped,
    closed: bool,
    ended: bool,
}

/// How many lines were dropped.
#[derive(Debug, Default, Clone, Copy)]
struct Dropped {
    ever: u64,
    /// Of those, how many the writer has not been told of.
    untold: u64,
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
            if self.spare.len() < KEPT && block.capacity() == BLOCK {
                block.clear();
                self.spare.push(block);
            }
        }
    }
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self { state: Mutex::default(), work: Condvar::new(), end: Condvar::new(), capacity }
    }

    /// Takes a line, or drops it.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        let idle = state.waiting == 0;
        if !state.closed && state.waiting + line.len() <= self.capacity {
            state.append(line);
        } else {
            state.dropped.ever += 1;
            state.dropped.untold += 1;
        }
        drop(state);
        // A writer that has lines before it does not wait.
        if idle {
            self.work.notify_one();
        }
    }

    /// Takes back the blocks that are written, waits for lines and gives them all. For the writer.
    pub(super) fn take(&self, blocks: &mut Vec<Vec<u8>>) -> Batch {
        let idle = |state: &mut State| state.waiting == 0 && state.dropped.untold == 0 && !state.closed;
        let mut state = self.lock();
        state.reuse(blocks);
        let mut state = self.work.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.blocks, blocks);
        state.waiting = 0;
        let dropped = std::mem::take(&mut state.dropped.untold);
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

    #[test]
    fn lines_keep_their_order_across_blocks_and_a_burst_leaves_few_of_them() {
        let (queue, mut blocks) = (Queue::new(CAPACITY), Vec::new());
        // The blocks of a take come back at the next one, and are used in the round after it.
        for _ in 0..3 {
            let lines: Vec<_> = (0..6 * BLOCK / 100).map(|number| format!("{number:0>99}\n")).collect();
            lines.iter().for_each(|line| queue.push(line.as_bytes()));
            queue.push(&[b'x'; 2 * BLOCK]);
            queue.take(&mut blocks);
            let all = [lines.concat().into_bytes(), vec![b'x'; 2 * BLOCK]].concat();
            assert!(blocks.concat() == all && blocks.len() > KEPT);
        }
        queue.close(Duration::ZERO);
        assert!(queue.take(&mut blocks).last);
        let state = queue.lock();
        assert!(state.spare.len() == KEPT && state.spare.iter().all(|block| block.capacity() == BLOCK));
    }
}
