//! Bounded connection pool. r2d2 owns the connections: their number, age, idle time and checks. What it
//! cannot do is beside it (ADR 16): callers open connections themselves, so that they get the reason at
//! once if that fails and nothing retries in the background; and holders that are stuck in a driver are
//! evicted after 8 s. Another caller then gets a slot instead, and no connection from before is reused,
//! because all may be blocked by the same cause.
//!
//! If the server admits fewer connections than there are slots, callers share the open ones.

use crate::engine::Engine;
use crate::gate::{EvictingPermit, EvictingSemaphore};
use crate::transaction;
use portcullis_ports::{Clock, StoreError};
use r2d2::{ManageConnection, NopErrorHandler, PooledConnection};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Maximum idle time and lifetime of a connection, so that failovers and DNS changes are noticed.
const IDLE: Duration = Duration::from_secs(600);
const LIFETIME: Duration = Duration::from_secs(1800);

/// Usage of a connection pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLoad {
    /// Connections in use, including stuck ones.
    pub in_use: usize,
    /// Maximum number of connections. Up to as many again may replace stuck ones.
    pub size: usize,
}

/// Entry of the r2d2 pool. A new one has no connection yet; an idle one always has.
struct Entry<C> {
    connection: Option<C>,
    /// Number of evictions when it was returned.
    evictions: u64,
}

/// r2d2 manager.
struct Entries<C> {
    is_open: fn(&mut C) -> bool,
    gate: Arc<EvictingSemaphore>,
}

/// Reason why an idle connection is not reused.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed, or as old as one whose holder was evicted")]
struct Unusable;

impl<C: Send + 'static> ManageConnection for Entries<C> {
    type Connection = Entry<C>;
    type Error = Unusable;

    fn connect(&self) -> Result<Entry<C>, Unusable> {
        Ok(Entry { connection: None, evictions: self.gate.evictions() })
    }

    fn is_valid(&self, entry: &mut Entry<C>) -> Result<(), Unusable> {
        let current = entry.evictions == self.gate.evictions();
        let usable = current && entry.connection.as_mut().is_none_or(self.is_open);
        usable.then_some(()).ok_or(Unusable)
    }

    /// Called when the entry is returned. Its holder did not put back a connection that broke.
    fn has_broken(&self, entry: &mut Entry<C>) -> bool {
        entry.evictions = self.gate.evictions();
        entry.connection.is_none()
    }
}

/// Reason why a connection could not be opened.
pub(crate) enum OpenFailure {
    /// The server responded but admits no further connection. Open connections may still work.
    Refused(StoreError),
    /// Any other failure.
    Failed(StoreError),
}

/// Right to one connection, returned on drop.
struct Slot<C: Send + 'static> {
    /// First field: returned before another caller is admitted.
    entry: PooledConnection<Entries<C>>,
    _permit: EvictingPermit,
}

/// Connection pool with a fixed number of slots, each for one connection.
pub(crate) struct Pool<C: Send + 'static> {
    entries: r2d2::Pool<Entries<C>>,
    gate: Arc<EvictingSemaphore>,
    wait: Duration,
}

impl<C: Engine + Send> Pool<C> {
    /// Creates a pool of `size` slots. Up to as many more are used while holders are evicted. An idle
    /// connection is reused if it `is_open`.
    pub(crate) fn new(size: NonZeroU32, wait: Duration, clock: Arc<dyn Clock>, is_open: fn(&mut C) -> bool) -> Self {
        let gate = Arc::new(EvictingSemaphore::new(size, clock));
        let entries = r2d2::Pool::builder()
            .max_size(size.get().saturating_mul(2))
            .min_idle(Some(0))
            .connection_timeout(wait.max(Duration::from_millis(1)))
            .idle_timeout(Some(IDLE))
            .max_lifetime(Some(LIFETIME))
            .error_handler(Box::new(NopErrorHandler))
            .build_unchecked(Entries { is_open, gate: gate.clone() });
        Self { entries, gate, wait }
    }

    /// Returns the number of slots in use and the maximum.
    pub(crate) fn load(&self) -> PoolLoad {
        let (in_use, size) = self.gate.load();
        PoolLoad { in_use, size }
    }

    /// Runs a call with an idle connection or a new one, which is kept if it is still healthy. If the
    /// server admits no further connection, waits until another slot's connection is free, as long as
    /// there are any.
    pub(crate) fn with_connection<T>(
        &self,
        open: impl Fn() -> Result<C, OpenFailure>,
        call: impl FnOnce(&mut C) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (mut slot, mut connection) = self.connection(open)?;
        // A panic here drops the connection, because it is not in the slot.
        let outcome = call(&mut connection);
        if transaction::is_healthy(&mut connection, &outcome) {
            slot.entry.connection = Some(connection);
        }
        outcome
    }

    fn connection(&self, open: impl Fn() -> Result<C, OpenFailure>) -> Result<(Slot<C>, C), StoreError> {
        let mut left = self.wait;
        let until = self.gate.now().saturating_add(self.wait);
        loop {
            let mut slot = self.slot(left)?;
            if let Some(idle) = slot.entry.connection.take() {
                return Ok((slot, idle));
            }
            match open() {
                Ok(opened) => return Ok((slot, opened)),
                Err(OpenFailure::Failed(error)) => return Err(error),
                Err(OpenFailure::Refused(error)) => {
                    drop(slot);
                    let idle = usize::try_from(self.entries.state().idle_connections).unwrap_or(usize::MAX);
                    if !self.gate.lower(idle) {
                        return Err(error);
                    }
                }
            }
            left = until.saturating_sub(self.gate.now());
        }
    }

    fn slot(&self, wait: Duration) -> Result<Slot<C>, StoreError> {
        let busy = || StoreError::Busy(format!("no connection came free within {:?}", self.wait));
        let permit = self.gate.enter(wait).ok_or_else(busy)?;
        Ok(Slot { entry: self.entries.get().map_err(|_| busy())?, _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use diesel::{Connection, SqliteConnection};
    use portcullis_testkit::FixedClock;
    use std::io::{Error, ErrorKind};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    const WAIT: Duration = Duration::from_millis(300);

    /// Manager as r2d2 wants it, of a server that refuses every connection.
    struct Refusing(Arc<AtomicUsize>);

    impl ManageConnection for Refusing {
        type Connection = ();
        type Error = Error;

        fn connect(&self) -> Result<(), Error> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(ErrorKind::ConnectionRefused.into())
        }

        fn is_valid(&self, (): &mut ()) -> Result<(), Error> {
            Ok(())
        }

        fn has_broken(&self, (): &mut ()) -> bool {
            false
        }
    }

    /// If this test fails, r2d2 may open the connections (ADR 16).
    #[test]
    #[expect(clippy::disallowed_methods, reason = "r2d2 has its own clock")]
    fn r2d2_reports_a_refusal_late_and_retries_without_a_caller() {
        let tries = Arc::new(AtomicUsize::new(0));
        let pool = r2d2::Pool::builder()
            .max_size(1)
            .min_idle(Some(0))
            .connection_timeout(WAIT)
            .error_handler(Box::new(NopErrorHandler))
            .build_unchecked(Refusing(tries.clone()));
        let start = Instant::now();
        assert!(pool.get().is_err());
        assert!(start.elapsed() >= WAIT);
        let before = tries.load(Ordering::Relaxed);
        while tries.load(Ordering::Relaxed) == before {
            assert!(start.elapsed() < Duration::from_secs(60), "it no longer retries");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_refusal_is_reported_at_once_after_one_try() {
        let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
        let pool = Pool::<SqliteConnection>::new(NonZeroU32::MIN, Duration::from_secs(60), clock, |_| true);
        let tries = AtomicUsize::new(0);
        for refusal in [OpenFailure::Failed, OpenFailure::Refused] {
            let error = StoreError::Unavailable("connection refused".to_owned());
            let open = || {
                tries.fetch_add(1, Ordering::Relaxed);
                Err(refusal(error.clone()))
            };
            assert_eq!(pool.with_connection(open, |_| Ok(())), Err(error.clone()));
        }
        assert_eq!(tries.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn only_an_open_connection_from_after_the_last_eviction_is_reused() {
        for (is_open, seconds, opened) in [(true, 7, 2), (false, 7, 3), (true, 8, 3)] {
            let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
            let check = if is_open { |_: &mut _| true } else { |_: &mut _| false };
            let pool = Pool::new(NonZeroU32::MIN.saturating_add(1), Duration::from_secs(60), clock.clone(), check);
            let opens = AtomicUsize::new(0);
            let open = || {
                opens.fetch_add(1, Ordering::Relaxed);
                Ok(SqliteConnection::establish(":memory:").unwrap())
            };
            // The outer holder is stuck after 8 s.
            let outcome = pool.with_connection(open, |_| {
                pool.with_connection(open, |_| Ok(()))?;
                clock.advance(Duration::from_secs(seconds));
                pool.with_connection(open, |_| Ok(()))
            });
            assert_eq!(outcome, Ok(()));
            assert_eq!(opens.load(Ordering::Relaxed), opened, "{is_open}, {seconds} s");
            assert_eq!(pool.load(), PoolLoad { in_use: 0, size: 2 });
        }
    }
}
