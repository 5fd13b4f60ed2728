//! Who is told of what the rules decide, beside the log.

use portcullis_domain::tokens::Verdict;

/// Is told what refresh tokens were worth. Never fails, and never waits.
///
/// ```
/// use portcullis_domain::tokens::Verdict;
/// use portcullis_ports::RefreshObserver;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// #[derive(Default)]
/// struct Thefts(AtomicU64);
/// impl RefreshObserver for Thefts {
///     fn on_verdict(&self, verdict: Verdict) {
///         self.0.fetch_add((verdict == Verdict::Theft).into(), Ordering::Relaxed);
///     }
/// }
/// let thefts = Thefts::default();
/// thefts.on_verdict(Verdict::Theft);
/// assert_eq!(thefts.0.into_inner(), 1);
/// ```
pub trait RefreshObserver: Send + Sync {
    /// A genuine token was shown and judged, and what follows from it has been done.
    fn on_verdict(&self, verdict: Verdict);
}

/// Nobody is told.
impl RefreshObserver for () {
    fn on_verdict(&self, _: Verdict) {}
}
