//! A bounded number of connections, on r2d2. The pool hands out slots; whoever holds one opens
//! the connection in it. So a caller learns at once why a connection cannot be had, nothing
//! retries in the background, and a slot whose holder panics comes back empty.

use portcullis_ports::StoreError;
use r2d2::{ManageConnection, NopErrorHandler, PooledConnection};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::time::Duration;

/// How long a connection may sit idle, and live at all, so that replaced servers and changed
/// addresses are found.
const IDLE: Duration = Duration::from_secs(600);
const LIFETIME: Duration = Duration::from_secs(1800);

/// A place for a connection.
pub(crate) type Slot<C> = PooledConnection<Slots<C>>;

/// Makes empty slots.
pub(crate) struct Slots<C>(PhantomData<fn() -> C>);

impl<C: Send + 'static> ManageConnection for Slots<C> {
    type Connection = Option<C>;
    type Error = Infallible;

    fn connect(&self) -> Result<Option<C>, Infallible> {
        Ok(None)
    }

    fn is_valid(&self, _: &mut Option<C>) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Option<C>) -> bool {
        false
    }
}

/// A pool of slots.
pub(crate) struct Pool<C: Send + 'static> {
    slots: r2d2::Pool<Slots<C>>,
    wait: Duration,
}

impl<C: Send + 'static> Pool<C> {
    pub(crate) fn new(size: NonZeroU32, wait: Duration) -> Self {
        let slots = r2d2::Pool::builder()
            .max_size(size.get())
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(wait.max(Duration::from_millis(1)))
            .idle_timeout(Some(IDLE))
            .max_lifetime(Some(LIFETIME))
            .error_handler(Box::new(NopErrorHandler))
            .build_unchecked(Slots(PhantomData));
        Self { slots, wait }
    }

    /// A free slot.
    pub(crate) fn slot(&self) -> Result<Slot<C>, StoreError> {
        self.slots.get().map_err(|_| StoreError::Busy(format!("no connection came free within {:?}", self.wait)))
    }
}
