//! Password hasher of the simulation: stores plain text, fails as the seed chooses and counts concurrent
//! hashes.

use crate::fault_plan::FaultProfile;
use crate::world::SimWorld;
use portcullis_ports::{HasherError, PasswordHasher};
use portcullis_resilience::{Bulkhead, ConcurrencyLimit};
use portcullis_testkit::{PlainHasher, WatchedHasher};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Maximum number of concurrent hashes. Further calls do not wait.
const WIDTH: usize = 2;
/// Retry delay reported to refused callers.
const RETRY: Duration = Duration::from_secs(2);

/// Hash in progress.
struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Creates a slow hasher behind a bulkhead: other clients run while it works.
pub(crate) fn hasher(stage: &Arc<SimWorld>) -> Arc<dyn PasswordHasher> {
    let running = Arc::new(AtomicUsize::new(0));
    let (inside, count) = (stage.clone(), running.clone());
    let slow = WatchedHasher::new(PlainHasher::default(), move |call| {
        work(&inside, &count)?;
        call()
    });
    let limit = ConcurrencyLimit::new(NonZeroUsize::new(WIDTH).unwrap(), 0);
    let stage = stage.clone();
    let watched = WatchedHasher::new(Bulkhead::new(slow, limit, RETRY), move |call| watch(&stage, &running, call));
    Arc::new(watched)
}

fn work(stage: &SimWorld, running: &AtomicUsize) -> Result<(), HasherError> {
    let before = running.fetch_add(1, Ordering::SeqCst);
    let _running = Running(running);
    stage.expect(before < WIDTH, || format!("{} hashes at once", before + 1));
    stage.record(|record| record.reached += 1);
    stage.pause();
    let perfect = stage.with(|state| state.weather == FaultProfile::Perfect);
    match stage.dice.below(100) {
        0 | 1 if !perfect => Err(HasherError::Busy { retry_after: RETRY }),
        2 if !perfect => Err(HasherError::Failed("staged".to_owned())),
        _ => Ok(()),
    }
}

/// Checks that a call runs if the bulkhead has a free permit and is otherwise refused at once.
fn watch(
    stage: &SimWorld,
    running: &AtomicUsize,
    call: &mut dyn FnMut() -> Result<(), HasherError>,
) -> Result<(), HasherError> {
    let full = running.load(Ordering::SeqCst) >= WIDTH;
    let reached = stage.record(|record| record.reached);
    let result = call();
    let reached = stage.record(|record| record.reached) > reached;
    stage.expect(reached != full, || format!("the bulkhead was full: {full}, and the call ran: {reached}"));
    if full {
        stage.cover("bulkhead refused");
        let busy = matches!(result, Err(HasherError::Busy { retry_after: RETRY }));
        stage.expect(busy, || "a full bulkhead did not say so".to_owned());
    }
    stage.record(|record| record.hasher_error = result.as_ref().err().cloned());
    result
}
