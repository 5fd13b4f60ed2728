//! The two kinds of limits behind one type, and the names of the budgets.

use super::sliding_window::WindowReceipt;
use super::{Gcra, SlidingWindow, Waiter, WindowState};
use std::time::Duration;

/// Algorithm and parameters of a limit.
///
/// ```
/// use portcullis_domain::limits::{Gcra, Rule};
/// use std::{num::NonZeroU32, time::Duration};
/// let rule = Rule::Gcra(Gcra::new(NonZeroU32::MIN, Duration::from_secs(30), NonZeroU32::MIN));
/// let acquired = rule.try_acquire(None, Duration::ZERO)?;
/// assert!(rule.try_acquire(Some(&acquired.tally), Duration::ZERO).is_err());
/// let tally = rule.refund(&acquired.tally, &acquired.receipt);
/// assert!(rule.try_acquire(Some(&tally), Duration::ZERO).is_ok());
/// # Ok::<(), portcullis_domain::limits::Throttled>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Steady rate with a burst.
    Gcra(Gcra),
    /// Number of attempts per period.
    SlidingWindow(SlidingWindow),
}

/// State kept per key for a [`Rule`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tally {
    /// Theoretical arrival time of a [`Gcra`].
    Gcra(Duration),
    /// Attempts of a [`SlidingWindow`].
    SlidingWindow(WindowState),
}

/// Data needed to refund a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// Receipt of a [`Gcra`], which needs no data.
    Gcra,
    /// Receipt of a [`SlidingWindow`].
    SlidingWindow(WindowReceipt),
}

/// Result of an accepted call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquired {
    /// Tally after the call.
    pub tally: Tally,
    /// Receipt for a refund.
    pub receipt: Receipt,
}

/// Error: the call is refused, because the budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the budget is spent")]
pub struct Throttled {
    /// Time until a call can pass; greater than zero.
    pub retry_after: Duration,
}

/// Quota of a rule, as announced to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaPolicy {
    /// Number of calls.
    pub quota: u32,
    /// Period that the quota applies to.
    pub window: Duration,
}

impl Rule {
    /// Accepts one call with the default waiter. `tally` is the state after the previous call, or
    /// `None` for the first.
    ///
    /// # Errors
    /// Returns [`Throttled`] if the budget is spent. The tally then stays as it was.
    pub fn try_acquire(&self, tally: Option<&Tally>, now: Duration) -> Result<Acquired, Throttled> {
        self.try_acquire_for(Waiter::default(), tally, now)
    }

    /// Accepts one call of a waiter. Only a [`SlidingWindow`] with backoff distinguishes waiters.
    ///
    /// # Errors
    /// Returns [`Throttled`] if the budget is spent. The tally then stays as it was.
    pub fn try_acquire_for(&self, waiter: Waiter, tally: Option<&Tally>, now: Duration) -> Result<Acquired, Throttled> {
        match (self, tally) {
            (Self::Gcra(flow), tally) => {
                let arrival = tally.and_then(Tally::arrival);
                flow.try_acquire(arrival, now).map(|next| Acquired { tally: Tally::Gcra(next), receipt: Receipt::Gcra })
            }
            (Self::SlidingWindow(window), Some(Tally::SlidingWindow(tries))) => {
                Ok(acquired(window.try_acquire_for(waiter, tries, now)?))
            }
            (Self::SlidingWindow(window), _) => {
                Ok(acquired(window.try_acquire_for(waiter, &WindowState::default(), now)?))
            }
        }
    }

    /// Returns the tally after refunding the call of this receipt. Later calls stay counted.
    #[must_use]
    pub fn refund(&self, tally: &Tally, receipt: &Receipt) -> Tally {
        match (self, tally, receipt) {
            (Self::Gcra(flow), Tally::Gcra(arrival), Receipt::Gcra) => Tally::Gcra(flow.refund(*arrival)),
            (Self::SlidingWindow(window), Tally::SlidingWindow(tries), Receipt::SlidingWindow(one)) => {
                Tally::SlidingWindow(window.refund(tries, one))
            }
            _ => tally.clone(),
        }
    }

    /// Returns the number of calls that could pass immediately.
    #[must_use]
    pub fn remaining(&self, tally: Option<&Tally>, now: Duration) -> u32 {
        match (self, tally) {
            (Self::Gcra(flow), tally) => flow.remaining(tally.and_then(Tally::arrival).unwrap_or(now), now),
            (Self::SlidingWindow(window), Some(Tally::SlidingWindow(tries))) => window.remaining(tries, now),
            (Self::SlidingWindow(window), _) => window.limit(),
        }
    }

    /// Returns whether a tally no longer limits anything and can be dropped.
    ///
    /// ```
    /// use portcullis_domain::limits::{Rule, SlidingWindow};
    /// use std::{num::NonZeroU32, time::Duration};
    /// let rule = Rule::SlidingWindow(SlidingWindow::new(NonZeroU32::MIN, Duration::from_secs(60)));
    /// let acquired = rule.try_acquire(None, Duration::ZERO)?;
    /// assert!(!rule.is_stale(&acquired.tally, Duration::ZERO));
    /// assert!(rule.is_stale(&rule.refund(&acquired.tally, &acquired.receipt), Duration::ZERO));
    /// # Ok::<(), portcullis_domain::limits::Throttled>(())
    /// ```
    #[must_use]
    pub fn is_stale(&self, tally: &Tally, now: Duration) -> bool {
        self.remaining(Some(tally), now) == self.remaining(None, now)
    }

    /// Returns the quota to announce to clients.
    #[must_use]
    pub fn policy(&self) -> QuotaPolicy {
        match self {
            Self::Gcra(flow) => flow.policy(),
            Self::SlidingWindow(window) => window.policy(),
        }
    }
}

impl Tally {
    fn arrival(&self) -> Option<Duration> {
        match self {
            Self::Gcra(arrival) => Some(*arrival),
            Self::SlidingWindow(_) => None,
        }
    }
}

fn acquired((tries, receipt): (WindowState, WindowReceipt)) -> Acquired {
    Acquired { tally: Tally::SlidingWindow(tries), receipt: Receipt::SlidingWindow(receipt) }
}

/// Name of a budget. Every subject is counted separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Wrong passwords of one account from unknown devices.
    Account,
    /// Wrong passwords of one account from one source. Limits only sources that signed in to the
    /// account before.
    AccountSource,
    /// Wrong passwords of one account per day, from all devices.
    AccountDay,
    /// Wrong passwords of one account from one known device.
    Device,
    /// Expensive calls of one source.
    Source,
    /// Emails to one address.
    Mail,
    /// Refreshes of one session.
    Refresh,
    /// Refreshes of one session that cannot succeed.
    DeadRefresh,
    /// Wrong second factors of one account from unknown devices.
    SecondFactor,
    /// Wrong second factors of one account from one known device.
    SecondFactorDevice,
    /// Wrong second factors of one account per day, from all devices.
    SecondFactorDay,
}

impl Budget {
    /// All budgets.
    pub const ALL: [Self; 11] = [
        Self::Account,
        Self::AccountSource,
        Self::AccountDay,
        Self::Device,
        Self::Source,
        Self::Mail,
        Self::Refresh,
        Self::DeadRefresh,
        Self::SecondFactor,
        Self::SecondFactorDevice,
        Self::SecondFactorDay,
    ];

    /// Returns the name used in headers and logs.
    ///
    /// ```
    /// assert_eq!(portcullis_domain::limits::Budget::DeadRefresh.as_str(), "dead_refresh");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::AccountSource => "account_source",
            Self::AccountDay => "account_day",
            Self::Device => "device",
            Self::Source => "source",
            Self::Mail => "mail",
            Self::Refresh => "refresh",
            Self::DeadRefresh => "dead_refresh",
            Self::SecondFactor => "second_factor",
            Self::SecondFactorDevice => "second_factor_device",
            Self::SecondFactorDay => "second_factor_day",
        }
    }

    /// Returns whether the charge is refunded if the call succeeds or never runs. Only the
    /// [`Source`](Self::Source) budget keeps every charge, so that a client that signs in all day
    /// cannot fill the disk.
    ///
    /// ```
    /// use portcullis_domain::limits::Budget;
    /// assert!(Budget::Account.is_refunded() && !Budget::Source.is_refunded());
    /// ```
    #[must_use]
    pub const fn is_refunded(self) -> bool {
        !matches!(self, Self::Source)
    }
}
