//! The two kinds of budget as one, and their names.

use super::sliding_window::WindowReceipt;
use super::{Gcra, SlidingWindow, Waiter, WindowState};
use std::time::Duration;

/// What a budget is counted by.
///
/// ```
/// use portcullis_domain::limits::{Gcra, Rule};
/// use std::{num::NonZeroU32, time::Duration};
/// let rule = Rule::Gcra(Gcra::new(NonZeroU32::MIN, Duration::from_secs(30), NonZeroU32::MIN));
/// let taken = rule.try_acquire(None, Duration::ZERO)?;
/// assert!(rule.try_acquire(Some(&taken.tally), Duration::ZERO).is_err());
/// let tally = rule.refund(&taken.tally, &taken.receipt);
/// assert!(rule.try_acquire(Some(&tally), Duration::ZERO).is_ok());
/// # Ok::<(), portcullis_domain::limits::Throttled>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A steady rate with a burst.
    Gcra(Gcra),
    /// So many tries in a period.
    SlidingWindow(SlidingWindow),
}

/// What is kept of a key under a [`Rule`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tally {
    /// The theoretical arrival time of a [`Gcra`].
    Gcra(Duration),
    /// The tries of a [`SlidingWindow`].
    SlidingWindow(WindowState),
}

/// What a refund needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// Of a [`Gcra`]: nothing.
    Gcra,
    /// Of a [`SlidingWindow`].
    SlidingWindow(WindowReceipt),
}

/// A call that was let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquired {
    /// The tally from now on.
    pub tally: Tally,
    /// For a refund.
    pub receipt: Receipt,
}

/// A call that was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the budget is spent")]
pub struct Throttled {
    /// How long until one call is let through; more than zero.
    pub retry_after: Duration,
}

/// What callers are told of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaPolicy {
    /// How many calls.
    pub quota: u32,
    /// In how long.
    pub window: Duration,
}

impl Rule {
    /// Lets one call through, where `tally` is what was kept of the last and all wait together.
    ///
    /// # Errors
    /// [`Throttled`], which changes nothing.
    pub fn try_acquire(&self, tally: Option<&Tally>, now: Duration) -> Result<Acquired, Throttled> {
        self.try_acquire_for(Waiter::default(), tally, now)
    }

    /// Lets one call of a waiter through. Only a [`SlidingWindow`] that relents tells waiters apart.
    ///
    /// # Errors
    /// [`Throttled`], which changes nothing.
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

    /// Takes one call back: its own, whatever was taken since.
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

    /// How many calls could follow at once.
    #[must_use]
    pub fn remaining(&self, tally: Option<&Tally>, now: Duration) -> u32 {
        match (self, tally) {
            (Self::Gcra(flow), tally) => flow.remaining(tally.and_then(Tally::arrival).unwrap_or(now), now),
            (Self::SlidingWindow(window), Some(Tally::SlidingWindow(tries))) => window.remaining(tries, now),
            (Self::SlidingWindow(window), _) => window.limit(),
        }
    }

    /// Whether a tally is worth no more than none at all: nothing of it counts any more.
    ///
    /// ```
    /// use portcullis_domain::limits::{Rule, SlidingWindow};
    /// use std::{num::NonZeroU32, time::Duration};
    /// let rule = Rule::SlidingWindow(SlidingWindow::new(NonZeroU32::MIN, Duration::from_secs(60)));
    /// let taken = rule.try_acquire(None, Duration::ZERO)?;
    /// assert!(!rule.is_stale(&taken.tally, Duration::ZERO));
    /// assert!(rule.is_stale(&rule.refund(&taken.tally, &taken.receipt), Duration::ZERO));
    /// # Ok::<(), portcullis_domain::limits::Throttled>(())
    /// ```
    #[must_use]
    pub fn is_stale(&self, tally: &Tally, now: Duration) -> bool {
        self.remaining(Some(tally), now) == self.remaining(None, now)
    }

    /// What callers are told of it.
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

/// The budgets by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Wrong passwords of one account from unknown devices.
    Account,
    /// Wrong passwords of one account from one source. Limits only sources that signed in to the
    /// account before.
    AccountSource,
    /// Wrong passwords of one account in a day, from all devices.
    AccountDay,
    /// Wrong passwords of one account from one known device.
    Device,
    /// Calls of one source that cost work.
    Source,
    /// Mails to one address.
    Mail,
    /// Refreshes of one session.
    Refresh,
    /// Refreshes of one session that cannot succeed.
    DeadRefresh,
}

impl Budget {
    /// Every budget.
    pub const ALL: [Self; 8] = [
        Self::Account,
        Self::AccountSource,
        Self::AccountDay,
        Self::Device,
        Self::Source,
        Self::Mail,
        Self::Refresh,
        Self::DeadRefresh,
    ];

    /// The name, as callers and logs have it.
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
        }
    }

    /// Returns whether a call that succeeds, or does not take place, gets its charge back. A
    /// source pays for every call: one account that signs in all day must not fill the disk.
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
