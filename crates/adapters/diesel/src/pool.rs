//! Bounded connection pool on r2d2. The pool hands out slots, and the caller opens the connection in its
//! slot. So the caller gets the reason at once if a connection fails, nothing retries in the background,
//! and a slot comes back empty if its holder panics. If the server admits fewer connections than there
//! are slots, callers share the open ones.
//!
//! A holder may be stuck in a driver that waits forever for a reply. After 8 s it is evicted: another
//! caller gets a slot instead, and no connection from before is reused, because all may be blocked by
//! the same cause.

use crate::gate::{EvictingPermit, EvictingSemaphore};
use portcullis_ports::{Clock, StoreError};
use r2d2::{ManageConnection, NopErrorHandler, PooledConnection};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::ops::{Deref, DerefMut};
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

/// Entry of the r2d2 pool: a connection, and the number of evictions when it was last used.
pub(crate) struct Place<C> {
    connection: Option<C>,
    age: u64,
}

/// r2d2 manager that creates entries without a connection.
pub(crate) struct Places<C>(PhantomData<fn() -> C>);

impl<C: Send + 'static> ManageConnection for Places<C> {
    type Connection = Place<C>;
    type Error = Infallible;

    fn connect(&self) -> Result<Place<C>, Infallible> {
        Ok(Place { connection: None, age: 0 })
    }

    fn is_valid(&self, _: &mut Place<C>) -> Result<(), Infallible> {
        Ok(())
    }

    /// Drops empty entries, so that every idle entry has a connection.
    fn has_broken(&self, place: &mut Place<C>) -> bool {
        place.connection.is_none()
    }
}

/// Reason why a connection could not be opened.
pub(crate) enum OpenFailure {
    /// The server responded but admits no further connection. Open connections may still work.
    Refused(StoreError),
    /// Any other failure.
    Failed(StoreError),
}

/// Permit for one connection, released on drop.
pub(crate) struct Slot<C: Send + 'static> {
    place: PooledConnection<Places<C>>,
    turn: EvictingPermit,
}

impl<C: Send + 'static> Deref for Slot<C> {
    type Target = Option<C>;

    fn deref(&self) -> &Option<C> {
        &self.place.connection
    }
}

impl<C: Send + 'static> DerefMut for Slot<C> {
    fn deref_mut(&mut self) -> &mut Option<C> {
        &mut self.place.connection
    }
}

impl<C: Send + 'static> Drop for Slot<C> {
    fn drop(&mut self) {
        self.place.age = self.turn.evicted();
    }
}

/// Connection pool with a fixed number of slots, each for one connection.
pub(crate) struct Pool<C: Send + 'static> {
    places: r2d2::Pool<Places<C>>,
    gate: Arc<EvictingSemaphore>,
    wait: Duration,
}

impl<C: Send + 'static> Pool<C> {
    /// Creates a pool of `size` slots. Up to as many more are used while holders are evicted.
    pub(crate) fn new(size: NonZeroU32, wait: Duration, clock: Arc<dyn Clock>) -> Self {
        let places = r2d2::Pool::builder()
            .max_size(size.get().saturating_mul(2))
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(wait.max(Duration::from_millis(1)))
            .idle_timeout(Some(IDLE))
            .max_lifetime(Some(LIFETIME))
            .error_handler(Box::new(NopErrorHandler))
            .build_unchecked(Places(PhantomData));
        Self { places, gate: Arc::new(EvictingSemaphore::new(size, clock)), wait }
    }

    /// Returns the number of slots in use and the maximum.
    pub(crate) fn load(&self) -> PoolLoad {
        let (in_use, size) = self.gate.load();
        PoolLoad { in_use, size }
    }

    /// Waits for a free slot.
    pub(crate) fn slot(&self) -> Result<Slot<C>, StoreError> {
        self.slot_within(self.wait)
    }

    /// Takes a connection out of a free slot: an idle one that passes `is_open`, or a new one. If the
    /// server admits no further connection, waits until another slot's connection is free, as long as
    /// there are any.
    pub(crate) fn connection(
        &self,
        is_open: impl Fn(&mut C) -> bool,
        open: impl Fn() -> Result<C, OpenFailure>,
    ) -> Result<(Slot<C>, C), StoreError> {
        let mut left = self.wait;
        let until = self.gate.now().saturating_add(self.wait);
        loop {
            let mut slot = self.slot_within(left)?;
            if let Some(mut idle) = slot.take()
                && is_open(&mut idle)
            {
                return Ok((slot, idle));
            }
            match open() {
                Ok(opened) => return Ok((slot, opened)),
                Err(OpenFailure::Failed(error)) => return Err(error),
                Err(OpenFailure::Refused(error)) => {
                    drop(slot);
                    let idle = usize::try_from(self.places.state().idle_connections).unwrap_or(usize::MAX);
                    if !self.gate.lower(idle) {
                        return Err(error);
                    }
                }
            }
            left = until.saturating_sub(self.gate.now());
        }
    }

    fn slot_within(&self, wait: Duration) -> Result<Slot<C>, StoreError> {
        let busy = || StoreError::Busy(format!("no connection came free within {:?}", self.wait));
        let turn = self.gate.enter(wait).ok_or_else(busy)?;
        let mut place = self.places.get().map_err(|_| busy())?;
        if place.age != turn.evicted() {
            place.connection = None;
        }
        Ok(Slot { place, turn })
    }
}
