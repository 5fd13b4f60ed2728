//! Tests of batching, rejections, stuck calls and panics.

use super::*;
use futures_util::FutureExt;
use futures_util::future::join_all;
use std::pin::pin;
use std::sync::mpsc;

const MOMENT: Duration = Duration::from_millis(50);
const BOUNDS: BatchSettings = BatchSettings {
    width: 1,
    batch: 4,
    slow_after: Duration::from_secs(60),
    queue: 8,
    max_wait: MOMENT,
    stuck_after: Duration::from_secs(60),
    spin: Duration::ZERO,
    retry_after: MOMENT,
};

fn soon() -> Instant {
    Instant::now() + 2 * MOMENT
}

fn in_time() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// A lane whose calls wait for a release each, report the jobs they got, and double them.
fn held(settings: BatchSettings) -> (BatchLane<u32, u32>, mpsc::Sender<()>, mpsc::Receiver<Vec<u32>>) {
    let (release, word) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let (word, tell) = (Mutex::new(word), Mutex::new(tell));
    let call = move |jobs: Vec<u32>| {
        tell.lock().send(jobs.clone()).unwrap();
        // Once the sender is dropped, calls no longer wait.
        let _ = word.lock().recv();
        jobs.iter().map(|job| 2 * job).collect()
    };
    (BatchLane::start("test", settings, call).unwrap(), release, told)
}

fn patient(queue: usize) -> BatchSettings {
    BatchSettings { queue, max_wait: Duration::from_secs(60), ..BOUNDS }
}

#[actix_web::test]
async fn what_waits_goes_together_in_order_and_each_gets_its_own() {
    let (lane, release, told) = held(patient(100));
    for _ in 0..11 {
        release.send(()).unwrap();
    }
    let outcomes = join_all((0..11).map(|job| lane.run_by(in_time(), job))).await;
    assert_eq!(outcomes, (0..11).map(|job| Ok(2 * job)).collect::<Vec<_>>());
    drop(lane);
    drop(release);
    let calls: Vec<_> = told.iter().collect();
    assert!(calls.iter().all(|call| (1..=4).contains(&call.len())), "{calls:?}");
    assert_eq!(calls.concat(), (0..11).collect::<Vec<_>>());
}

#[actix_web::test]
async fn a_lone_job_waits_for_nobody() {
    let lane = BatchLane::start("test", patient(1), |jobs: Vec<u32>| jobs).unwrap();
    for job in 0..100 {
        assert_eq!(lane.run_by(in_time(), job).await, Ok(job));
    }
}

/// Submits a job and waits until a thread has taken it.
macro_rules! begin {
    ($lane:ident, $first:ident, $told:ident) => {
        let mut $first = pin!($lane.run_by(in_time(), 0));
        assert_eq!($first.as_mut().now_or_never(), None);
        assert_eq!($told.recv(), Ok(vec![0]));
    };
}

#[actix_web::test]
async fn few_jobs_wait_for_the_end_of_a_call_and_go_together() {
    let (lane, release, told) = held(BatchSettings { width: 2, ..patient(8) });
    begin!(lane, first, told);
    let mut others = pin!(join_all((1..4).map(|job| lane.run_by(in_time(), job))));
    assert_eq!(others.as_mut().now_or_never(), None);
    assert_eq!(told.recv_timeout(MOMENT), Err(mpsc::RecvTimeoutError::Timeout), "the second thread took some");
    drop(release);
    assert_eq!(first.await, Ok(0));
    assert_eq!(others.await, [Ok(2), Ok(4), Ok(6)]);
    assert_eq!(told.recv(), Ok(vec![1, 2, 3]));
}

#[actix_web::test]
async fn as_many_as_a_call_takes_wait_for_none() {
    let (lane, release, told) = held(BatchSettings { width: 2, ..patient(8) });
    begin!(lane, first, told);
    let mut others = pin!(join_all((1..5).map(|job| lane.run_by(in_time(), job))));
    assert_eq!(others.as_mut().now_or_never(), None);
    assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(vec![1, 2, 3, 4]));
    drop(release);
    assert_eq!(first.await, Ok(0));
}

#[actix_web::test]
async fn nobody_waits_for_the_end_of_a_slow_call() {
    let (lane, release, told) = held(BatchSettings { width: 2, slow_after: MOMENT, ..patient(8) });
    begin!(lane, first, told);
    let mut second = pin!(lane.run_by(in_time(), 1));
    assert_eq!(second.as_mut().now_or_never(), None);
    assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(vec![1]));
    drop(release);
    assert_eq!(second.await, Ok(2));
}

#[actix_web::test]
async fn a_thread_that_lingers_needs_no_waking_and_sees_the_end() {
    let (alive, ended) = mpsc::channel::<()>();
    let call = move |jobs: Vec<u32>| {
        let _ = &alive;
        jobs
    };
    let lane = BatchLane::start("test", BatchSettings { spin: Duration::from_secs(60), ..patient(1) }, call).unwrap();
    for job in 0..100 {
        assert_eq!(lane.run_by(in_time(), job).await, Ok(job));
        assert_eq!(lane.0.state.lock().asleep, 0);
    }
    drop(lane);
    assert_eq!(ended.recv_timeout(Duration::from_secs(30)), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[actix_web::test]
async fn a_thread_that_has_lingered_sleeps_and_is_woken() {
    let settings = BatchSettings { spin: Duration::from_millis(1), ..patient(1) };
    let lane = BatchLane::start("test", settings, |jobs: Vec<u32>| jobs).unwrap();
    for job in 0..3 {
        while lane.0.state.lock().asleep == 0 {
            thread::yield_now();
        }
        assert_eq!(lane.run_by(in_time(), job).await, Ok(job));
    }
}

#[actix_web::test]
async fn a_full_lane_refuses_and_a_stuck_call_is_overdue() {
    let (lane, release, told) = held(BatchSettings { queue: 1, ..BOUNDS });
    assert_eq!(lane.run_by(soon(), 1).await, Err(LaneError::Overdue));
    assert_eq!(told.recv(), Ok(vec![1]));
    let (second, third) = tokio::join!(lane.run_by(soon(), 2), lane.run_by(soon(), 3));
    assert_eq!(third, Err(lane.rejection()), "there was no place");
    assert_eq!(second, Err(lane.rejection()), "it waited in vain, and took its job along");
    drop(release);
    assert_eq!(lane.run_by(in_time(), 4).await, Ok(8), "the lane goes on");
    assert_eq!(told.recv(), Ok(vec![4]));
}

#[actix_web::test]
async fn stuck_calls_are_replaced_as_often_as_the_lane_is_wide() {
    let (lane, release, told) = held(BatchSettings { stuck_after: MOMENT, ..BOUNDS });
    for job in 1..3 {
        assert_eq!(lane.run_by(soon(), job).await, Err(LaneError::Overdue));
        let taken = told.recv_timeout(Duration::from_secs(10));
        assert_eq!(taken, Ok(vec![job]), "another thread took it");
    }
    assert_eq!(lane.run_by(soon(), 3).await, Err(lane.rejection()), "what is stuck is bounded");
    drop(release);
    assert_eq!(lane.run_by(in_time(), 4).await, Ok(8), "the lane goes on");
}

#[actix_web::test]
async fn whoever_has_gone_before_the_call_is_left_out() {
    let (lane, release, told) = held(patient(8));
    {
        let mut first = pin!(lane.run_by(in_time(), 1));
        let mut gone = pin!(lane.run_by(in_time(), 2));
        assert_eq!(first.as_mut().now_or_never(), None);
        assert_eq!(told.recv(), Ok(vec![1]));
        assert_eq!(gone.as_mut().now_or_never(), None);
    }
    release.send(()).unwrap();
    release.send(()).unwrap();
    assert_eq!(lane.run_by(in_time(), 3).await, Ok(6));
    assert_eq!(told.recv(), Ok(vec![3]));
}

#[actix_web::test]
async fn a_panic_costs_one_call() {
    let call = |jobs: Vec<u32>| {
        if jobs.contains(&0) { std::panic::resume_unwind(Box::new("on purpose")) } else { jobs }
    };
    let lane = BatchLane::start("test", patient(8), call).unwrap();
    assert_eq!(lane.run_by(in_time(), 0).await, Err(LaneError::Panicked));
    assert_eq!(lane.run_by(in_time(), 1).await, Ok(1));
}

#[actix_web::test]
async fn what_waits_at_the_end_is_done() {
    let (lane, release, told) = held(patient(8));
    let outcomes = join_all((1..4).map(|job| lane.run_by(in_time(), job)));
    drop(release);
    assert_eq!(outcomes.await, [Ok(2), Ok(4), Ok(6)]);
    drop(lane);
    assert_eq!(told.iter().flatten().collect::<Vec<_>>(), [1, 2, 3], "and then the thread ends");
}
