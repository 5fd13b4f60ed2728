//! Whether an answer is still wanted: what a caller hands along to work that may wait for its
//! turn.

use std::{fmt, sync::Arc};

/// How long a caller waits for slow work to begin. Whoever does the work asks before it begins,
/// and not after: what has begun is finished, whoever is gone.
///
/// ```
/// use portcullis_ports::CancellationToken;
/// use std::sync::Arc;
/// let caller = Arc::new("somebody at the other end of a connection");
/// let connected = Arc::downgrade(&caller);
/// let token = CancellationToken::cancelled_unless(move || connected.strong_count() > 0);
/// assert!(!token.is_cancelled());
/// drop(caller);
/// assert!(token.is_cancelled());
/// assert!(!CancellationToken::never().is_cancelled());
/// ```
#[derive(Clone)]
pub struct CancellationToken {
    lasts: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl CancellationToken {
    /// That of a caller who stays: a chore, a test.
    #[must_use]
    pub fn never() -> Self {
        Self { lasts: None }
    }

    /// One that lasts while the answer is true. It is asked from other threads, under locks:
    /// `still_wanted` must not wait.
    #[must_use]
    pub fn cancelled_unless(still_wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { lasts: Some(Arc::new(still_wanted)) }
    }

    /// Whether nobody waits any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.lasts.as_ref().is_some_and(|lasts| !lasts())
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patience").field("is_over", &self.is_cancelled()).finish()
    }
}
