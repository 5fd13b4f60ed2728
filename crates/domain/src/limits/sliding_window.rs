//! Sliding-window limit with optional backoff, used for password guesses. It slows down an attacker
//! without locking out the owner for long.

use super::{QuotaPolicy, Throttled};
use std::num::NonZeroU32;
use std::time::Duration;

/// Sliding window: at most `tries` free attempts (attempts that pass without a wait) within any window
/// of length `period`.
///
/// With backoff, one more attempt passes after each wait. The wait doubles with every such attempt, up
/// to the period. Each [`Waiter`] has its own waits. The window resets when no attempt has passed for a
/// full period after the last wait ended.
///
/// ```
/// use portcullis_domain::limits::{WindowState, SlidingWindow};
/// use std::{num::NonZeroU32, time::Duration};
/// let (minute, now) = (Duration::from_secs(60), Duration::from_secs(1000));
/// let window = SlidingWindow::new(NonZeroU32::MIN, 15 * minute).with_backoff(minute);
/// let (state, _) = window.try_acquire(&WindowState::default(), now)?;
/// assert_eq!(window.try_acquire(&state, now).unwrap_err().retry_after, minute);
/// let (state, _) = window.try_acquire(&state, now + minute)?;
/// assert_eq!(window.try_acquire(&state, now + minute).unwrap_err().retry_after, 2 * minute);
/// # Ok::<(), portcullis_domain::limits::Throttled>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlidingWindow {
    tries: NonZeroU32,
    period: Duration,
    first_wait: Option<Duration>,
}

/// Id of a client, or a group of clients, that backs off separately once the free attempts are spent.
/// One waiter cannot use up the attempt that another waiter waited for. The default waiter is shared
/// by all callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Waiter(u64);

impl Waiter {
    /// Creates a waiter with a fixed id.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Creates a waiter from a keyed digest, which clients cannot choose.
    #[must_use]
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        Self(digest.first_chunk().map(|first| u64::from_be_bytes(*first)).unwrap_or_default())
    }

    /// Returns the id.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// State of one sliding window: its recent attempts. Times are durations since a fixed moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WindowState {
    /// Times of the free attempts, at most [`SlidingWindow::limit`] of them.
    pub free: Vec<Duration>,
    /// Attempts that passed after a wait, one entry per waiter.
    pub waits: Vec<Backoff>,
}

/// Attempts of one waiter that passed after a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Waiter of these attempts.
    pub waiter: Waiter,
    /// Number of attempts.
    pub count: u32,
    /// Time of the last attempt.
    pub last: Duration,
}

/// Data needed to refund an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowReceipt {
    /// Time when the attempt passed.
    pub at: Duration,
    /// Waiter, and time of its previous attempt; `None` for a free attempt.
    pub backed_off: Option<(Waiter, Duration)>,
}

impl SlidingWindow {
    /// Maximum number of free attempts. The time of each one is stored.
    pub const MAX_LIMIT: u32 = 100;

    /// Creates a window with `tries` free attempts per `period`, capped at
    /// [`MAX_LIMIT`](Self::MAX_LIMIT), and no backoff.
    #[must_use]
    pub fn new(tries: NonZeroU32, period: Duration) -> Self {
        Self { tries: tries.clamp(NonZeroU32::MIN, Self::MAX), period, first_wait: None }
    }

    /// Maximum number of waiters. Beyond it, the waiter with the oldest attempt is forgotten.
    pub const MAX_WAITERS: usize = 100;

    const MAX: NonZeroU32 = NonZeroU32::MIN.saturating_add(Self::MAX_LIMIT - 1);

    /// Adds backoff: one more attempt passes after each wait. The first wait is `first`, or the period
    /// if that is shorter.
    #[must_use]
    pub fn with_backoff(self, first: Duration) -> Self {
        Self { first_wait: Some(first.min(self.period)), ..self }
    }

    /// Returns the number of free attempts.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.tries.get()
    }

    /// Returns the length of the window: the time for which a free attempt counts.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Returns the first wait, or `None` without backoff.
    #[must_use]
    pub fn first_wait(&self) -> Option<Duration> {
        self.first_wait
    }

    /// Returns the wait before a waiter's next attempt, after `waited` of its attempts passed with a
    /// wait. Returns `None` without backoff.
    #[must_use]
    pub fn wait(&self, waited: u32) -> Option<Duration> {
        let factor = 1_u32.checked_shl(waited.min(31)).unwrap_or(u32::MAX);
        self.first_wait.map(|first| first.saturating_mul(factor).min(self.period))
    }

    /// Accepts one attempt of the default waiter.
    ///
    /// # Errors
    /// Returns [`Throttled`] if the attempt comes too early. The state then stays as it was.
    pub fn try_acquire(&self, tries: &WindowState, now: Duration) -> Result<(WindowState, WindowReceipt), Throttled> {
        self.try_acquire_for(Waiter::default(), tries, now)
    }

    /// Accepts one attempt of a waiter. The first wait starts when the free attempts were spent, later
    /// ones at the waiter's own last attempt.
    ///
    /// Times later than `now` count as `now`: the clock moved back.
    ///
    /// # Errors
    /// Returns [`Throttled`] if the attempt comes too early. The state then stays as it was.
    pub fn try_acquire_for(
        &self,
        waiter: Waiter,
        tries: &WindowState,
        now: Duration,
    ) -> Result<(WindowState, WindowReceipt), Throttled> {
        let mut tries = self.settled(tries, now);
        if tries.waits.is_empty() && tries.free.len() < self.max_free() {
            tries.free.push(now);
            return Ok((tries, WindowReceipt { at: now, backed_off: None }));
        }
        let own = tries.waits.iter().find(|waits| waits.waiter == waiter).copied();
        let own = own.unwrap_or_else(|| Backoff { waiter, count: 0, last: newest(&tries.free).unwrap_or_default() });
        let due = match self.wait(own.count) {
            Some(wait) => own.last.saturating_add(wait),
            None => tries.free.first().copied().unwrap_or(now).saturating_add(self.period),
        };
        if now < due || self.first_wait.is_none() {
            return Err(Throttled { retry_after: due.saturating_sub(now).max(Duration::from_micros(1)) });
        }
        tries.waits.retain(|waits| waits.waiter != waiter);
        if tries.waits.len() >= Self::MAX_WAITERS
            && let Some((oldest, _)) = tries.waits.iter().enumerate().min_by_key(|(_, waits)| waits.last)
        {
            tries.waits.remove(oldest);
        }
        tries.waits.push(Backoff { waiter, count: own.count.saturating_add(1), last: now });
        Ok((tries, WindowReceipt { at: now, backed_off: Some((waiter, own.last)) }))
    }

    /// Returns the state after refunding one attempt.
    #[must_use]
    pub fn refund(&self, tries: &WindowState, receipt: &WindowReceipt) -> WindowState {
        let mut tries = tries.clone();
        let Some((waiter, before)) = receipt.backed_off else {
            if let Some(place) = tries.free.iter().rposition(|at| *at == receipt.at) {
                tries.free.remove(place);
            }
            return tries;
        };
        for waits in tries.waits.iter_mut().filter(|waits| waits.waiter == waiter) {
            waits.count = waits.count.saturating_sub(1);
            waits.last = if waits.last == receipt.at { before } else { waits.last };
        }
        tries.waits.retain(|waits| waits.count > 0);
        tries
    }

    /// Returns the number of free attempts left.
    #[must_use]
    pub fn remaining(&self, tries: &WindowState, now: Duration) -> u32 {
        let tries = self.settled(tries, now);
        let used = u32::try_from(tries.free.len()).unwrap_or(u32::MAX);
        if tries.waits.is_empty() { self.tries.get().saturating_sub(used) } else { 0 }
    }

    /// Returns the quota to announce to clients.
    #[must_use]
    pub fn policy(&self) -> QuotaPolicy {
        QuotaPolicy { quota: self.tries.get(), window: self.period }
    }

    /// Drops attempts that no longer count. With backoff, spent free attempts stay spent until the
    /// whole window resets: a period no longer than the first wait would otherwise cut that wait short.
    fn settled(&self, tries: &WindowState, now: Duration) -> WindowState {
        let waits = tries.waits.iter().map(|waits| Backoff { last: waits.last.min(now), ..*waits });
        let waits: Vec<_> = waits.filter(|waits| now.saturating_sub(waits.last) < self.lifetime(waits.count)).collect();
        let mut free: Vec<_> = tries.free.iter().map(|at| (*at).min(now)).collect();
        let spent = self.first_wait.is_some() && (!waits.is_empty() || free.len() >= self.max_free());
        let kept = if spent { self.lifetime(0) } else { self.period };
        match newest(&free) {
            // Free attempts expire together.
            Some(newest) if spent => free.retain(|_| !waits.is_empty() || now.saturating_sub(newest) < kept),
            _ => free.retain(|at| now.saturating_sub(*at) < kept),
        }
        WindowState { free, waits }
    }

    /// Returns how long a waiter's attempts count, after `waited` waits and without a further attempt.
    fn lifetime(&self, waited: u32) -> Duration {
        self.wait(waited).unwrap_or_default().saturating_add(self.period)
    }

    fn max_free(&self) -> usize {
        self.tries.get().try_into().unwrap_or(usize::MAX)
    }
}

fn newest(times: &[Duration]) -> Option<Duration> {
    times.iter().max().copied()
}

#[cfg(test)]
#[path = "sliding_window_tests.rs"]
mod tests;
