//! Cancellation of work whose caller no longer waits.

use std::{fmt, sync::Arc, time::Duration};

/// Time for which queued work ignores its cancellation. A client that has half-closed its connection
/// looks like one that left, but may still read the response.
pub const CANCEL_GRACE: Duration = Duration::from_millis(20);

/// Cancellation token for slow work that may have to queue. Check it before the work starts; work that
/// has started runs to its end.
///
/// ```
/// use portcullis_ports::CancellationToken;
/// use std::sync::Arc;
/// let connection = Arc::new("a client's connection");
/// let connected = Arc::downgrade(&connection);
/// let token = CancellationToken::cancelled_unless(move || connected.strong_count() > 0);
/// assert!(!token.is_cancelled());
/// drop(connection);
/// assert!(token.is_cancelled());
/// assert!(!CancellationToken::never().is_cancelled());
/// ```
#[derive(Clone, Default)]
pub struct CancellationToken {
    lasts: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl CancellationToken {
    /// Creates a token that is never cancelled, for background jobs and tests.
    #[must_use]
    pub fn never() -> Self {
        Self { lasts: None }
    }

    /// Creates a token that is cancelled once `still_wanted` returns false. Other threads call
    /// `still_wanted` while holding locks, so it must not block.
    #[must_use]
    pub fn cancelled_unless(still_wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { lasts: Some(Arc::new(still_wanted)) }
    }

    /// Returns whether the caller no longer waits.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.lasts.as_ref().is_some_and(|lasts| !lasts())
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellationToken").field("is_cancelled", &self.is_cancelled()).finish()
    }
}
