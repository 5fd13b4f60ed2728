//! A worker wakes when notified, polls, survives panics of its job, sleeps when the job says so, and
//! stops in time.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use portcullis_worker::{Job, NextStep, Notifier, Worker, WorkerSettings};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LONG: Duration = Duration::from_hours(1);
const SOON: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(20);

/// Job that reports each step and follows a script.
struct Script {
    told: Sender<&'static str>,
    steps: Mutex<Vec<(&'static str, Step)>>,
}

enum Step {
    Then(NextStep),
    Panic,
    Block(Receiver<()>),
}

impl Job for Script {
    fn run(&self) -> NextStep {
        let step = self.steps.lock().unwrap().pop();
        let Some((name, step)) = step else {
            self.told.send("idle").ok();
            return NextStep::Wait;
        };
        self.told.send(name).ok();
        match step {
            Step::Then(next) => next,
            Step::Panic => std::panic::resume_unwind(Box::new("on purpose")),
            Step::Block(until) => {
                until.recv().ok();
                NextStep::Continue
            }
        }
    }
}

fn start(
    threads: usize,
    poll: Duration,
    mut steps: Vec<(&'static str, Step)>,
) -> (Worker, Notifier, Receiver<&'static str>) {
    steps.reverse();
    let (sender, receiver) = channel();
    let notifier = Notifier::default();
    let pace = WorkerSettings { threads: NonZeroUsize::new(threads).unwrap(), poll, delay: Duration::ZERO };
    let job = Arc::new(Script { told: sender, steps: Mutex::new(steps) });
    (Worker::start("test", &notifier, pace, job).unwrap(), notifier, receiver)
}

fn heard(told: &Receiver<&'static str>) -> &'static str {
    told.recv_timeout(SOON).unwrap()
}

#[test]
fn pieces_are_done_one_after_another_until_there_are_none() {
    let (worker, notifier, told) =
        start(1, LONG, vec![("a", Step::Then(NextStep::Continue)), ("b", Step::Then(NextStep::Continue))]);
    assert_eq!([heard(&told), heard(&told), heard(&told)], ["a", "b", "idle"]);
    assert_eq!(told.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout), "nothing to do, nothing done");
    notifier.notify_one();
    assert_eq!(heard(&told), "idle");
    assert!(worker.stop(SOON));
}

#[test]
fn a_ring_while_all_are_at_work_is_heard_later() {
    let (release, until) = channel();
    let (_worker, notifier, told) = start(1, LONG, vec![("a", Step::Block(until))]);
    assert_eq!(heard(&told), "a");
    notifier.notify_one();
    release.send(()).unwrap();
    assert_eq!([heard(&told), heard(&told)], ["idle", "idle"], "once for the piece, once for the ring");
}

#[test]
fn work_that_nobody_rang_for_is_found() {
    let (_worker, _bell, told) = start(1, SHORT, vec![]);
    for _ in 0..3 {
        assert_eq!(heard(&told), "idle");
    }
}

#[test]
fn a_ring_is_answered_after_the_delay() {
    let (sender, told) = channel();
    let (notifier, pace) =
        (Notifier::default(), WorkerSettings { threads: NonZeroUsize::MIN, poll: LONG, delay: 50 * SHORT });
    let job = Arc::new(Script { told: sender, steps: Mutex::new(Vec::new()) });
    let worker = Worker::start("test", &notifier, pace, job).unwrap();
    assert_eq!(heard(&told), "idle", "at the start at once");
    notifier.notify_one();
    assert_eq!(told.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
    assert_eq!(heard(&told), "idle");
    assert!(worker.stop(SOON));
}

#[test]
fn a_panic_ends_the_piece_and_not_the_thread() {
    let (worker, _bell, told) = start(1, SHORT, vec![("a", Step::Panic), ("b", Step::Panic)]);
    assert_eq!([heard(&told), heard(&told), heard(&told)], ["a", "b", "idle"]);
    assert!(worker.stop(SOON));
}

#[test]
fn rest_is_not_disturbed_but_by_the_end() {
    let (worker, notifier, told) = start(1, SHORT, vec![("a", Step::Then(NextStep::Sleep(LONG)))]);
    assert_eq!(heard(&told), "a");
    notifier.notify_one();
    assert_eq!(told.recv_timeout(5 * SHORT), Err(RecvTimeoutError::Timeout));
    assert!(worker.stop(SOON));
}

#[test]
fn threads_work_at_once() {
    let (first, until_first) = channel();
    let (second, until_second) = channel();
    let (_worker, _bell, told) =
        start(2, LONG, vec![("a", Step::Block(until_first)), ("b", Step::Block(until_second))]);
    let mut both = [heard(&told), heard(&told)];
    both.sort_unstable();
    assert_eq!(both, ["a", "b"]);
    drop((first, second));
}

#[test]
fn stop_waits_for_the_current_step_up_to_its_timeout() {
    let (release, until) = channel();
    let (worker, _bell, told) = start(1, LONG, vec![("a", Step::Block(until)), ("b", Step::Then(NextStep::Continue))]);
    assert_eq!(heard(&told), "a");
    assert!(!worker.stop(SHORT), "the piece is not done");
    release.send(()).unwrap();
    assert!(worker.stop(SOON));
    assert_eq!(told.try_recv().ok(), None, "nothing was begun after the end");
}

#[test]
fn a_worker_that_is_dropped_ends() {
    let (worker, _bell, told) = start(3, LONG, vec![]);
    drop(worker);
    while let Ok(piece) = told.recv_timeout(SOON) {
        assert_eq!(piece, "idle");
    }
    assert_eq!(told.recv_timeout(SHORT), Err(RecvTimeoutError::Disconnected), "the threads hold the sender no more");
}
