//! Queue between the threads that log and the writer thread. It is bounded in bytes and never blocks a
//! producer: lines that do not fit are dropped and counted. The lock is held for a copy, never for a
//! write.

use parking_lot::{Condvar, Mutex};
use std::time::Duration;

/// Capacity in bytes: about 20,000 lines.
pub(super) const CAPACITY: usize = 4 * 1024 * 1024;

/// Size of a block in bytes. Blocks are reused: a buffer that grows and shrinks with each burst would
/// fragment the heap.
const BLOCK: usize = 64 * 1024;

/// Time the writer pauses after a write, unless a block fills up. Waking a thread for each line would
/// cost the logging threads more than the line itself.
pub(super) const BATCH_INTERVAL: Duration = Duration::from_millis(5);

/// Number of blocks allocated at the start and kept. Blocks allocated in a burst would take free heap
/// space from other allocations and so grow the heap.
const MIN_BLOCKS: usize = 8;

/// Lines that wait for the writer.
#[derive(Debug)]
pub(super) struct LogQueue {
    state: Mutex<State>,
    /// Notified when there are lines to write, a flush or the end.
    work: Condvar,
    /// Notified when a flush is done or the writer has ended.
    end: Condvar,
    capacity: usize,
    rest: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines, in order.
    blocks: Vec<Vec<u8>>,
    /// Bytes in the blocks.
    waiting: usize,
    spare: Vec<Vec<u8>>,
    dropped: Dropped,
    /// True while the writer pauses. It checks for new lines by itself afterwards.
    resting: bool,
    flush: Flush,
    closed: bool,
    ended: bool,
}

/// Progress of a flush.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Flush {
    /// No thread waits for a flush.
    #[default]
    No,
    /// The lines are in the queue.
    Asked,
    /// The lines are being written.
    Taken,
}

/// Counts of dropped lines.
#[derive(Debug, Default, Clone, Copy)]
struct Dropped {
    ever: u64,
    /// Lines not yet reported to the writer.
    unreported: u64,
}

/// Work for the writer.
pub(super) struct Batch {
    /// Lines dropped since the last batch.
    pub(super) dropped: u64,
    /// True for the last batch.
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

    /// Keeps up to [`MIN_BLOCKS`] blocks for later lines. Drops blocks that a long line enlarged.
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
        // The system provides memory only once it is written to.
        let block = || {
            let mut block = vec![b'\n'; BLOCK];
            block.clear();
            block
        };
        let state = State { spare: std::iter::repeat_with(block).take(MIN_BLOCKS).collect(), ..State::default() };
        Self { state: Mutex::new(state), work: Condvar::new(), end: Condvar::new(), capacity, rest }
    }

    /// Queues a line, or drops it if the queue is full or closed.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.state.lock();
        let before = state.waiting;
        if !state.closed && state.waiting + line.len() <= self.capacity {
            state.append(line);
        } else {
            state.dropped.ever += 1;
            state.dropped.unreported += 1;
        }
        // With earlier lines in the queue, the writer is already awake.
        let due = if state.resting { before < BLOCK && state.waiting >= BLOCK } else { before == 0 };
        drop(state);
        if due {
            self.work.notify_one();
        }
    }

    /// Takes back the written blocks, pauses, waits for lines and returns all of them in `blocks`. Called
    /// by the writer.
    pub(super) fn take(&self, blocks: &mut Vec<Vec<u8>>) -> Batch {
        let calm = |state: &State| state.flush != Flush::Asked && !state.closed;
        let idle = |state: &mut State| state.waiting == 0 && state.dropped.unreported == 0 && calm(state);
        let mut state = self.state.lock();
        state.reuse(blocks);
        if state.flush == Flush::Taken {
            state.flush = Flush::No;
            self.end.notify_all();
        }
        state.resting = true;
        self.work.wait_while_for(&mut state, |state| state.waiting < BLOCK && calm(state), self.rest);
        state.resting = false;
        self.work.wait_while(&mut state, idle);
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
        self.state.lock().dropped.ever += lines;
    }

    /// Returns the number of lines dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.state.lock().dropped.ever
    }

    /// Waits up to `within` for the writer to write all lines queued so far. Returns whether it did.
    pub(super) fn flush(&self, within: Duration) -> bool {
        let mut state = self.state.lock();
        state.flush = Flush::Asked;
        self.work.notify_one();
        let waits = |state: &mut State| state.flush != Flush::No && !state.ended;
        self.end.wait_while_for(&mut state, waits, within);
        !waits(&mut state)
    }

    /// Closes the queue and waits up to `within` for the writer to write the rest.
    pub(super) fn close(&self, within: Duration) {
        let mut state = self.state.lock();
        state.closed = true;
        self.work.notify_one();
        self.end.wait_while_for(&mut state, |state| !state.ended, within);
    }

    /// Records that the writer has ended.
    pub(super) fn ended(&self) {
        self.state.lock().ended = true;
        self.end.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    const LONG: Duration = Duration::from_secs(60);

    /// Starts a writer and waits until it pauses. The channel receives the lines that it takes and whether
    /// they are the last.
    fn resting(queue: &Arc<LogQueue>) -> Receiver<(Vec<u8>, bool)> {
        let (taken, takes) = channel();
        let writer = Arc::clone(queue);
        thread::spawn(move || {
            let mut blocks = Vec::new();
            let last = writer.take(&mut blocks).last;
            taken.send((blocks.concat(), last))
        });
        while !queue.state.lock().resting {
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
    fn flush_ends_the_pause_and_waits_for_all_earlier_lines() {
        let (queue, written) = (Arc::new(LogQueue::new(CAPACITY, 2 * LONG)), Arc::new(Mutex::new(Vec::new())));
        let writer = thread::spawn({
            let (queue, written) = (Arc::clone(&queue), Arc::clone(&written));
            move || {
                let mut blocks = Vec::new();
                while !queue.take(&mut blocks).last {
                    thread::yield_now();
                    written.lock().extend(blocks.concat());
                }
                queue.ended();
            }
        });
        for lines in 1..100 {
            queue.push(b"line\n");
            assert!(queue.flush(LONG));
            assert_eq!(*written.lock(), b"line\n".repeat(lines));
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
    fn lines_stay_in_order_across_blocks_and_extra_blocks_are_freed() {
        let (queue, mut blocks) = (LogQueue::new(CAPACITY, Duration::ZERO), Vec::new());
        assert_eq!(queue.state.lock().spare.len(), MIN_BLOCKS);
        // Blocks come back at the next `take` and are reused in the round after it.
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
        let state = queue.state.lock();
        assert!(state.spare.len() == MIN_BLOCKS && state.spare.iter().all(|block| block.capacity() == BLOCK));
    }
}
