//! Bounds that hold during and after every fault (docs/reliability.md): response time, allowed responses and
//! time to recover.

use super::accounts::fresh_email;
use super::calls::Reply;
use super::services::Service;
use super::timing::{pause, timed};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Maximum time of any response.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);
/// Maximum time of a `/health` response.
pub(crate) const HEALTH: Duration = Duration::from_secs(1);
/// Maximum time until full service after the fault has ended.
pub(crate) const HEALED: Duration = Duration::from_secs(10);
const BETWEEN_PROBES: Duration = Duration::from_millis(100);

/// Makes a call. It must be answered in time; its only allowed server error is the contract's 503.
#[track_caller]
pub(crate) fn within_deadline(call: impl FnOnce() -> Reply) -> Reply {
    let (time, reply) = timed(call);
    assert!(time < ANSWER, "answered {} after {time:?}", reply.status);
    match reply.status {
        200..=499 => {}
        _ => reply.expect_unavailable(),
    }
    reply
}

/// Sets a flag on drop, so also after a panic.
pub(crate) struct SetOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Service {
    /// Runs `something` while another thread polls `/health`, which must respond within 1 s throughout. One late
    /// response may be the machine's fault; two in a row are the service's.
    pub(crate) fn watched<T>(&self, something: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut before = Duration::ZERO;
                while !over.load(Ordering::SeqCst) {
                    let (time, reply) = timed(|| self.get("/health"));
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    assert!(before.min(time) < HEALTH, "/health took {before:?}, then {time:?}");
                    before = time;
                    pause(BETWEEN_PROBES);
                }
            });
            let _over = SetOnDrop(&over);
            something()
        })
    }

    /// Checks that everything works again within the time limit and keeps working.
    #[track_caller]
    pub(crate) fn expect_healed(&self) {
        let (mut since, mut healed) = (Duration::ZERO, false);
        while !healed {
            let (time, reply) = timed(|| {
                let reply = within_deadline(|| self.register(&fresh_email(), "long enough"));
                if reply.status == 503 {
                    pause(BETWEEN_PROBES);
                }
                reply
            });
            (since, healed) = (since + time, reply.status == 201);
            assert!(since < HEALED, "not healed after {since:?}: {}", reply.text());
        }
        for _ in 0..3 {
            let (_, pair) = self.session();
            let next = super::accounts::Pair::of(&self.refresh(&pair.refresh));
            self.me(&next.access).expect(200);
            self.logout(&next.refresh).expect(200);
        }
        self.get("/health/ready").expect(200);
    }
}
