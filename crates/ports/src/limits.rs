//! Counting what is tried, and codes that only the service can make.

use portcullis_domain::limits::{Budget, LimitKey, Receipt, Rule, Waiter};
use std::time::Duration;

/// One budget that a call draws on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Which budget.
    pub budget: Budget,
    /// Whose.
    pub key: LimitKey,
    /// How it is counted.
    pub rule: Rule,
    /// Who waits, where the rule has waits.
    pub waiter: Waiter,
}

impl Charge {
    /// Creates a charge that refuses where its budget is spent, and where all wait together.
    #[must_use]
    pub fn new(budget: Budget, key: LimitKey, rule: Rule) -> Self {
        Self { budget, key, rule, waiter: Waiter::default() }
    }
}

/// A charge that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldCharge {
    /// The charge.
    pub charge: Charge,
    /// What its refund needs to know.
    pub receipt: Receipt,
    /// How many more could follow at once.
    pub remaining: u32,
}

/// Charges that were let through together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "a reservation that is not refunded is spent"]
pub struct Reservation {
    /// Each of them, in their order.
    pub held: Vec<HeldCharge>,
    /// The same charges as a second limiter counted them, where there is one.
    pub secondary: Vec<HeldCharge>,
}

/// A budget that is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// The charge that was refused: of several, the one that has to wait longest.
    pub charge: Charge,
    /// How long until it would pass; more than zero.
    pub retry_after: Duration,
}

/// What became of charges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReserveOutcome {
    /// All were let through, and are counted.
    Passed(Reservation),
    /// One was refused, and none is counted.
    Refused(Exceeded),
}

/// Counts what is tried.
///
/// ```
/// use portcullis_ports::{Charge, LimiterError, RateLimiter, ReserveOutcome};
/// fn guess(limiter: &dyn RateLimiter, charge: Charge, right: bool) -> Result<bool, LimiterError> {
///     // Counted before the work, so that parallel guesses do not outrun the count.
///     let ReserveOutcome::Passed(reservation) = limiter.reserve(&[charge])? else { return Ok(false) };
///     if right {
///         limiter.refund(&reservation)?;
///     }
///     Ok(right)
/// }
/// ```
pub trait RateLimiter: Send + Sync {
    /// Counts all charges or none, in one atomic step: of any number of callers, no more get
    /// through than the budgets have.
    ///
    /// # Errors
    /// [`LimiterError`]. Whether the charges are counted is unknown then.
    fn reserve(&self, charges: &[Charge]) -> Result<ReserveOutcome, LimiterError>;

    /// Takes charges back. A budget that has forgotten them is left as it is.
    ///
    /// # Errors
    /// [`LimiterError`]. Whether the charges were taken back is unknown then.
    fn refund(&self, reservation: &Reservation) -> Result<(), LimiterError>;

    /// Forgets all that was counted under the keys of the charges.
    ///
    /// # Errors
    /// [`LimiterError`]. Whether it was forgotten is unknown then.
    fn clear(&self, charges: &[Charge]) -> Result<(), LimiterError>;

    /// How many calls could follow at once under a charge. Counts nothing.
    ///
    /// # Errors
    /// [`LimiterError`].
    fn remaining(&self, charge: &Charge) -> Result<u32, LimiterError>;
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
}

/// The limiter cannot be reached, or did not answer in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rate limiter is unavailable: {0}")]
pub struct LimiterError(pub String);

/// Makes codes that only the service can make, and that tell nothing of what they are made from
/// (a message authentication code, RFC 2104).
///
/// ```
/// use portcullis_ports::MacSigner;
/// fn is_ours(authenticator: &dyn MacSigner, message: &[u8], code: &[u8; 32]) -> bool {
///     authenticator.verify(message, code)
/// }
/// ```
pub trait MacSigner: Send + Sync {
    /// The code of a message.
    fn sign(&self, message: &[u8]) -> [u8; 32];

    /// Whether it is the code of a message. Takes the same time wherever they differ.
    fn verify(&self, message: &[u8], code: &[u8; 32]) -> bool;
}
