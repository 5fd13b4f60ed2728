//! The two kinds of budget as one, and their names.

use super::window::TryReceipt;
use super::{Flow, Tries, Waiter, Window};
use std::time::Duration;

/// What a budget is counted by.
///
/// ```
/// use portcullis_domain::limits::{Flow, Rule};
/// use std::{num::NonZeroU32, time::Duration};
/// let rule = Rule::Flow(Flow::new(NonZeroU32::MIN, Duration::from_secs(30), NonZeroU32::MIN));
/// let taken = rule.take(None, Duration::ZERO)?;
/// assert!(rule.take(Some(&taken.tally), Duration::ZERO).is_err());
/// let tally = rule.refund(&taken.tally, &taken.receipt);
/// assert!(rule.take(Some(&tally), Duration::ZERO).is_ok());
/// # Ok::<(), portcullis_domain::limits::Refusal>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A steady rate with a burst.
    Flow(Flow),
    /// So many tries in a period.
    Window(Window),
}

/// What is kept of a key under a [`Rule`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tally {
    /// The theoretical arrival time of a [`Flow`].
    Flow(Duration),
    /// The tries of a [`Window`].
    Window(Tries),
}

/// What a refund needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// Of a [`Flow`]: nothing.
    Flow,
    /// Of a [`Window`].
    Window(TryReceipt),
}

/// A call that was let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The tally from now on.
    pub tally: Tally,
    /// For a refund.
    pub receipt: Receipt,
}

/// A call that was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the budget is spent")]
pub struct Refusal {
    /// How long until one call is let through; more than zero.
    pub retry_after: Duration,
}

/// What callers are told of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How many calls.
    pub quota: u32,
    /// In how long.
    pub window: Duration,
}

impl Rule {
    /// Lets one call through, where `tally` is what was kept of the last and all wait together.
    ///
    /// # Errors
    /// [`Refusal`], which changes nothing.
    pub fn take(&self, tally: Option<&Tally>, now: Duration) -> Result<Taken, Refusal> {
        self.take_for(Waiter::default(), tally, now)
    }

    /// Lets one call of a waiter through. Only a [`Window`] that relents tells waiters apart.
    ///
    /// # Errors
    /// [`Refusal`], which changes nothing.
    pub fn take_for(&self, waiter: Waiter, tally: Option<&Tally>, now: Duration) -> Result<Taken, Refusal> {
        match (self, tally) {
            (Self::Flow(flow), tally) => {
                let arrival = tally.and_then(Tally::arrival);
                flow.take(arrival, now).map(|next| Taken { tally: Tally::Flow(next), receipt: Receipt::Flow })
            }
            (Self::Window(window), Some(Tally::Window(tries))) => Ok(taken(window.take_for(waiter, tries, now)?)),
            (Self::Window(window), _) => Ok(taken(window.take_for(waiter, &Tries::default(), now)?)),
        }
    }

    /// Takes one call back: its own, whatever was taken since.
    #[must_use]
    pub fn refund(&self, tally: &Tally, receipt: &Receipt) -> Tally {
        match (self, tally, receipt) {
            (Self::Flow(flow), Tally::Flow(arrival), Receipt::Flow) => Tally::Flow(flow.refund(*arrival)),
            (Self::Window(window), Tally::Window(tries), Receipt::Window(one)) => {
                Tally::Window(window.refund(tries, one))
            }
            _ => tally.clone(),
        }
    }

    /// How many calls could follow at once.
    #[must_use]
    pub fn remaining(&self, tally: Option<&Tally>, now: Duration) -> u32 {
        match (self, tally) {
            (Self::Flow(flow), tally) => flow.remaining(tally.and_then(Tally::arrival).unwrap_or(now), now),
            (Self::Window(window), Some(Tally::Window(tries))) => window.remaining(tries, now),
            (Self::Window(window), _) => window.tries(),
        }
    }

    /// Whether a tally is worth no more than none at all: nothing of it counts any more.
    ///
    /// ```
    /// use portcullis_domain::limits::{Rule, Window};
    /// use std::{num::NonZeroU32, time::Duration};
    /// let rule = Rule::Window(Window::new(NonZeroU32::MIN, Duration::from_secs(60)));
    /// let taken = rule.take(None, Duration::ZERO)?;
    /// assert!(!rule.is_blank(&taken.tally, Duration::ZERO));
    /// assert!(rule.is_blank(&rule.refund(&taken.tally, &taken.receipt), Duration::ZERO));
    /// # Ok::<(), portcullis_domain::limits::Refusal>(())
    /// ```
    #[must_use]
    pub fn is_blank(&self, tally: &Tally, now: Duration) -> bool {
        self.remaining(Some(tally), now) == self.remaining(None, now)
    }

    /// What callers are told of it.
    #[must_use]
    pub fn policy(&self) -> Policy {
        match self {
            Self::Flow(flow) => flow.policy(),
            Self::Window(window) => window.policy(),
        }
    }
}

impl Tally {
    fn arrival(&self) -> Option<Duration> {
        match self {
            Self::Flow(arrival) => Some(*arrival),
            Self::Window(_) => None,
        }
    }
}

fn taken((tries, receipt): (Tries, TryReceipt)) -> Taken {
    Taken { tally: Tally::Window(tries), receipt: Receipt::Window(receipt) }
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
