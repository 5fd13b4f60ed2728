//! A bounded number of connections, on r2d2. The pool hands out slots; whoever holds one opens
//! the connection in it. So a caller learns at once why a connection cannot be had, nothing
//! retries in the background, and a slot whose holder panics comes back empty. If the server admits
//! fewer connections than there are slots, callers share the ones that are open.
//!
//! A holder may be stuck in a driver that waits for an answer without end. After a time it is
//! written off: somebody else gets a slot in its stead, and no connection from before is used
//! again, for whatever holds up one may hold up all.

use crate::gate::{EvictingPermit, EvictingSemaphore};
use portcullis_ports::{Clock, StoreError};
use r2d2::{ManageConnection, NopErrorHandler, PooledConnection};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may sit idle, and live at all, so that replaced servers and changed
/// addresses are found.
const IDLE: Duration = Duration::from_secs(600);
const LIFETIME: Duration = Duration::from_secs(1800);

/// How a pool of connections is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLoad {
    /// The connections that are taken, those that are stuck among them.
    pub in_use: usize,
    /// How many there may be; as many more in place of those that are stuck.
    pub size: usize,
}

/// What r2d2 keeps: a place for a connection, and when it was last used, in write-offs.
pub(crate) struct Place<C> {
    connection: Option<C>,
    age: u64,
}

/// Makes empty places.
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

    /// Drops empty places, so that an idle place always has a connection.
    fn has_broken(&self, place: &mut Place<C>) -> bool {
        place.connection.is_none()
    }
}

/// Why a connection could not be opened.
pub(crate) enum OpenFailure {
    /// The server is there, and admits no further connection. Open connections may still work.
    Refused(StoreError),
    /// Anything else.
    Failed(StoreError),
}

/// The right to one connection, until dropped.
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

/// A pool of slots.
pub(crate) struct Pool<C: Send + 'static> {
    places: r2d2::Pool<Places<C>>,
    gate: Arc<EvictingSemaphore>,
    wait: Duration,
}

impl<C: Send + 'static> Pool<C> {
    /// At most `size` slots, and as many more while holders are written off.
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

    /// How many slots are taken, and how many there are.
    pub(crate) fn load(&self) -> PoolLoad {
        let (in_use, size) = self.gate.load();
        PoolLoad { in_use, size }
    }

    /// A free slot.
    pub(crate) fn slot(&self) -> Result<Slot<C>, StoreError> {
        self.slot_within(self.wait)
    }

    /// Takes a connection out of a free slot: one that `is_open`, or a new one. If the server admits
    /// no further connection, waits for one that is open in another slot, as long as there are any.
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
