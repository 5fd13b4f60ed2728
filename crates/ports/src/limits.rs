//! Rate limiter and MAC signer.

use portcullis_domain::limits::{Budget, LimitKey, Receipt, Rule, Waiter};
use std::time::Duration;

/// Request to count one call against one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Budget.
    pub budget: Budget,
    /// Key of the budget's subject.
    pub key: LimitKey,
    /// Rule of the budget.
    pub rule: Rule,
    /// Waiter, for rules with backoff.
    pub waiter: Waiter,
}

impl Charge {
    /// Creates a charge with the default waiter.
    #[must_use]
    pub fn new(budget: Budget, key: LimitKey, rule: Rule) -> Self {
        Self { budget, key, rule, waiter: Waiter::default() }
    }
}

/// Charge that was accepted and is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldCharge {
    /// Charge.
    pub charge: Charge,
    /// Receipt for a refund.
    pub receipt: Receipt,
    /// Number of calls that could still pass immediately.
    pub remaining: u32,
}

/// Charges that were accepted together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "a reservation that is not refunded is spent"]
pub struct Reservation {
    /// Charges, in the order requested.
    pub held: Vec<HeldCharge>,
    /// The same charges as counted by a second limiter; empty if there is none.
    pub secondary: Vec<HeldCharge>,
}

/// Refusal of a charge, because its budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Refused charge. If several were refused, the one with the longest wait.
    pub charge: Charge,
    /// Time until the charge can pass; greater than zero.
    pub retry_after: Duration,
}

/// Outcome of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReserveOutcome {
    /// All charges passed and are counted.
    Passed(Reservation),
    /// One charge was refused, and none is counted.
    Refused(Exceeded),
}

/// Counts calls against budgets. The caller reserves before the work and refunds if the work should
/// not count.
///
/// ```
/// use portcullis_ports::{Charge, LimiterError, RateLimiter, ReserveOutcome};
/// fn guess(limiter: &dyn RateLimiter, charge: Charge, right: bool) -> Result<bool, LimiterError> {
///     // Charge before the work, so that parallel guesses cannot outrun the count.
///     let ReserveOutcome::Passed(reservation) = limiter.reserve(&[charge])? else { return Ok(false) };
///     if right {
///         limiter.refund(&reservation)?;
///     }
///     Ok(right)
/// }
/// ```
pub trait RateLimiter: Send + Sync {
    /// Counts all charges or none, in one atomic step. Concurrent callers never get more than the
    /// budgets allow.
    ///
    /// # Errors
    /// Returns [`LimiterError`] if the limiter is unavailable. The charges may or may not be counted.
    fn reserve(&self, charges: &[Charge]) -> Result<ReserveOutcome, LimiterError>;

    /// Refunds charges. Does nothing for a charge whose count has expired since.
    ///
    /// # Errors
    /// Returns [`LimiterError`] if the limiter is unavailable. The charges may or may not be refunded.
    fn refund(&self, reservation: &Reservation) -> Result<(), LimiterError>;

    /// Clears everything counted under the keys of the charges.
    ///
    /// # Errors
    /// Returns [`LimiterError`] if the limiter is unavailable. The counts may or may not be cleared.
    fn clear(&self, charges: &[Charge]) -> Result<(), LimiterError>;

    /// Returns the number of calls that could pass immediately under a charge. Counts nothing.
    ///
    /// # Errors
    /// Returns [`LimiterError`] if the limiter is unavailable.
    fn remaining(&self, charge: &Charge) -> Result<u32, LimiterError>;

    /// Checks that the limiter can count. Counts nothing. By default, always `Ok`: a limiter in memory can. A
    /// decorator must forward the call.
    ///
    /// # Errors
    /// Returns [`LimiterError`] if the limiter is unavailable.
    fn check(&self) -> Result<(), LimiterError> {
        Ok(())
    }
}

impl<L: RateLimiter + ?Sized> RateLimiter for std::sync::Arc<L> {
    fn reserve(&self, charges: &[Charge]) -> Result<ReserveOutcome, LimiterError> {
        (**self).reserve(charges)
    }

    fn refund(&self, reservation: &Reservation) -> Result<(), LimiterError> {
        (**self).refund(reservation)
    }

    fn clear(&self, charges: &[Charge]) -> Result<(), LimiterError> {
        (**self).clear(charges)
    }

    fn remaining(&self, charge: &Charge) -> Result<u32, LimiterError> {
        (**self).remaining(charge)
    }

    fn check(&self) -> Result<(), LimiterError> {
        (**self).check()
    }
}

/// Error: the limiter is unreachable or did not respond in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rate limiter is unavailable: {0}")]
pub struct LimiterError(pub String);

/// Signs messages with a secret key (message authentication code, RFC 2104). Keys of before a rotation verify
/// too, and sign nothing new.
///
/// ```
/// use portcullis_ports::MacSigner;
/// fn is_ours(signer: &dyn MacSigner, message: &[u8], mac: &[u8; 32]) -> bool {
///     signer.verify(message, mac)
/// }
/// ```
pub trait MacSigner: Send + Sync {
    /// Returns the MAC of a message under the current key.
    fn sign(&self, message: &[u8]) -> [u8; 32];

    /// Returns whether `code` is the MAC of the message under the current key or a previous one. Reveals
    /// nothing about the MACs by the time that it takes.
    fn verify(&self, message: &[u8], code: &[u8; 32]) -> bool;

    /// Returns the signer of the previous key, or `None` if there is none. Its own previous key is the one
    /// before.
    fn previous(&self) -> Option<&dyn MacSigner> {
        None
    }
}

/// Returns the signers of all keys, the current one first. For MACs that are looked up or that contain other
/// MACs, which [`MacSigner::verify`] cannot check.
///
/// ```
/// use portcullis_ports::{MacSigner, signers};
/// fn lookup_keys(signer: &dyn MacSigner, message: &[u8]) -> Vec<[u8; 32]> {
///     signers(signer).map(|signer| signer.sign(message)).collect()
/// }
/// ```
pub fn signers(current: &dyn MacSigner) -> impl Iterator<Item = &dyn MacSigner> {
    std::iter::successors(Some(current), |signer| signer.previous())
}
