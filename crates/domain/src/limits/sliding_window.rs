//! So many tries in any stretch of time, and after that one try a wait that doubles: for guesses
//! at one secret. A guesser is slowed down, and the owner is never shut out for long.

use super::{QuotaPolicy, Throttled};
use std::num::NonZeroU32;
use std::time::Duration;

/// So many tries in a period, exactly: no stretch of that length ever holds more free ones.
///
/// Past them, where the window is one that relents, one try passes after each wait, and the wait
/// doubles with every such try, up to the period. Each [`Waiter`] has its own waits. All is forgiven
/// when nobody has tried for a whole period after the wait was over.
///
/// ```
/// use portcullis_domain::limits::{WindowState, SlidingWindow};
/// use std::{num::NonZeroU32, time::Duration};
/// let (minute, now) = (Duration::from_secs(60), Duration::from_secs(1000));
/// let window = SlidingWindow::new(NonZeroU32::MIN, 15 * minute).with_backoff(minute);
/// let (tries, _) = window.try_acquire(&WindowState::default(), now)?;
/// assert_eq!(window.try_acquire(&tries, now).unwrap_err().retry_after, minute);
/// let (tries, _) = window.try_acquire(&tries, now + minute)?;
/// assert_eq!(window.try_acquire(&tries, now + minute).unwrap_err().retry_after, 2 * minute);
/// # Ok::<(), portcullis_domain::limits::Throttled>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlidingWindow {
    tries: NonZeroU32,
    period: Duration,
    first_wait: Option<Duration>,
}

/// Who waits once the free tries are spent. Each waiter has waits of its own, so that no caller takes
/// the try that another one waited for. By default all callers wait together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Waiter(u64);

impl Waiter {
    /// A waiter with a fixed number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// A waiter told apart by a digest that only the service can make.
    #[must_use]
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        Self(digest.first_chunk().map(|first| u64::from_be_bytes(*first)).unwrap_or_default())
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What was tried lately. Times are durations since one fixed moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WindowState {
    /// When each free try was made, at most as many as are free.
    pub free: Vec<Duration>,
    /// What passed after a wait, by waiter.
    pub waits: Vec<Backoff>,
}

/// The tries of one waiter that passed after a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Whose.
    pub waiter: Waiter,
    /// How many there were.
    pub count: u32,
    /// When the last one passed.
    pub last: Duration,
}

/// What a refund needs to know of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowReceipt {
    /// When it passed.
    pub at: Duration,
    /// Who waited for it and when their try before it passed; `None` for a free try.
    pub backed_off: Option<(Waiter, Duration)>,
}

impl SlidingWindow {
    /// The most tries that may be free: each is remembered by its time.
    pub const MAX_LIMIT: u32 = 100;

    /// `tries` in a `period`, at most [`MAX_LIMIT`](Self::MAX_LIMIT), and none past them.
    #[must_use]
    pub fn new(tries: NonZeroU32, period: Duration) -> Self {
        Self { tries: tries.clamp(NonZeroU32::MIN, Self::MAX), period, first_wait: None }
    }

    /// Maximum number of waiters; past it, the one with the oldest last try is forgotten.
    pub const MAX_WAITERS: usize = 100;

    const MAX: NonZeroU32 = NonZeroU32::MIN.saturating_add(Self::MAX_LIMIT - 1);

    /// The same, with one more try after each wait. The first wait is `first`, or the period
    /// where that is shorter.
    #[must_use]
    pub fn with_backoff(self, first: Duration) -> Self {
        Self { first_wait: Some(first.min(self.period)), ..self }
    }

    /// How many tries are free.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.tries.get()
    }

    /// For how long a free try counts.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// The first wait, where the window relents.
    #[must_use]
    pub fn first_wait(&self) -> Option<Duration> {
        self.first_wait
    }

    /// The wait after so many tries that passed after a wait.
    #[must_use]
    pub fn wait(&self, waited: u32) -> Option<Duration> {
        let factor = 1_u32.checked_shl(waited.min(31)).unwrap_or(u32::MAX);
        self.first_wait.map(|first| first.saturating_mul(factor).min(self.period))
    }

    /// Lets one try through, where all wait together.
    ///
    /// # Errors
    /// [`Throttled`], which changes nothing.
    pub fn try_acquire(&self, tries: &WindowState, now: Duration) -> Result<(WindowState, WindowReceipt), Throttled> {
        self.try_acquire_for(Waiter::default(), tries, now)
    }

    /// Lets one try of a waiter through. The first wait begins when the free tries were spent; the
    /// others begin with the waiter's own last try.
    ///
    /// Times ahead of `now` are those of a clock that was set back: they count as now.
    ///
    /// # Errors
    /// [`Throttled`], which changes nothing.
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

    /// Takes one try back.
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

    /// How many free tries are left.
    #[must_use]
    pub fn remaining(&self, tries: &WindowState, now: Duration) -> u32 {
        let tries = self.settled(tries, now);
        let used = u32::try_from(tries.free.len()).unwrap_or(u32::MAX);
        if tries.waits.is_empty() { self.tries.get().saturating_sub(used) } else { 0 }
    }

    /// What callers are told of it.
    #[must_use]
    pub fn policy(&self) -> QuotaPolicy {
        QuotaPolicy { quota: self.tries.get(), window: self.period }
    }

    /// What still counts. Once the free tries of a window that relents are spent, they stay spent
    /// until all is forgiven: else a period that is no longer than the first wait would end that wait.
    fn settled(&self, tries: &WindowState, now: Duration) -> WindowState {
        let waits = tries.waits.iter().map(|waits| Backoff { last: waits.last.min(now), ..*waits });
        let waits: Vec<_> = waits.filter(|waits| now.saturating_sub(waits.last) < self.lifetime(waits.count)).collect();
        let mut free: Vec<_> = tries.free.iter().map(|at| (*at).min(now)).collect();
        let spent = self.first_wait.is_some() && (!waits.is_empty() || free.len() >= self.max_free());
        let kept = if spent { self.lifetime(0) } else { self.period };
        match newest(&free) {
            // All at once, or none.
            Some(newest) if spent => free.retain(|_| !waits.is_empty() || now.saturating_sub(newest) < kept),
            _ => free.retain(|at| now.saturating_sub(*at) < kept),
        }
        WindowState { free, waits }
    }

    /// How long a try counts after so many waits, if the waiter tries no more.
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
