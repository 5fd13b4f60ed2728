//! Conformance of [`RateLimiter`], with one function per promise. If the clock of a limiter cannot be
//! set, the tests wait in real time, so the times that pass are short and all others are long.

use portcullis_domain::limits::{Budget, Gcra, LimitKey, Rule, SlidingWindow, Waiter};
use portcullis_ports::{Charge, Exceeded, LimiterError, RateLimiter, Reservation, ReserveOutcome};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

type Outcome = Result<(), LimiterError>;

/// Limiter and its time.
pub struct Limiter<'a> {
    /// Limiter under test.
    pub limiter: &'a dyn RateLimiter,
    /// Advances the time.
    pub wait: &'a dyn Fn(Duration),
}

/// Generates a test for every promise. Takes a closure that gets a `&dyn Fn(Limiter)` and calls it with
/// a limiter, which need not be empty.
#[macro_export]
macro_rules! limiter_conformance {
    ($with_limiter:expr) => {
        $crate::limiter_conformance! { @cases $with_limiter;
            a_flow_lets_its_burst_through_and_no_more, a_window_lets_its_tries_through_and_no_more,
            keys_are_apart, a_refund_restores, charges_are_counted_together_or_not_at_all,
            of_64_callers_as_many_pass_as_the_budget_has, asking_what_remains_counts_nothing,
            a_flow_that_is_spent_lets_one_through_after_its_interval, a_window_that_relents_doubles_its_waits,
            a_short_period_ends_no_wait, each_waiter_waits_for_itself, what_is_cleared_is_forgotten,
            a_success_after_a_wait_leaves_all_as_it_was, a_refund_that_nobody_remembers_changes_nothing
        }
    };
    (@cases $with_limiter:expr; $($case:ident),+) => { $(
        #[test]
        fn $case() {
            let run = |limiter: $crate::conformance::limits::Limiter<'_>| {
                assert_eq!($crate::conformance::limits::$case(&limiter), Ok(()));
            };
            ($with_limiter)(&run);
        }
    )+ };
}

impl Limiter<'_> {
    fn passes(&self, charge: &Charge) -> Result<Reservation, LimiterError> {
        match self.limiter.reserve(std::slice::from_ref(charge))? {
            ReserveOutcome::Passed(reservation) => Ok(reservation),
            ReserveOutcome::Refused(exceeded) => Err(LimiterError(format!("refused: {exceeded:?}"))),
        }
    }

    fn refuses(&self, charge: &Charge) -> Result<Exceeded, LimiterError> {
        match self.limiter.reserve(std::slice::from_ref(charge))? {
            ReserveOutcome::Passed(_) => Err(LimiterError("passed".to_owned())),
            ReserveOutcome::Refused(exceeded) => Ok(exceeded),
        }
    }
}

fn some(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN)
}

/// Returns a charge with a key that is unique across all processes.
fn fresh(rule: Rule) -> Charge {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let (number, process) = (NUMBER.fetch_add(1, Ordering::Relaxed).to_le_bytes(), std::process::id().to_le_bytes());
    let mut digest = [0; 32];
    for (place, byte) in digest.iter_mut().zip(number.into_iter().chain(process)) {
        *place = byte;
    }
    Charge::new(Budget::Source, LimitKey::from_digest(&digest), rule)
}

fn left(reservation: &Reservation) -> Vec<u32> {
    reservation.held.iter().map(|held| held.remaining).collect()
}

fn flow(calls: u32, period: Duration, burst: u32) -> Charge {
    fresh(Rule::Gcra(Gcra::new(some(calls), period, some(burst))))
}

fn window(tries: u32) -> Charge {
    fresh(Rule::SlidingWindow(SlidingWindow::new(some(tries), HOUR)))
}

fn relenting(tries: u32) -> Charge {
    fresh(Rule::SlidingWindow(SlidingWindow::new(some(tries), HOUR).with_backoff(SECOND)))
}

fn is_about(found: Duration, wanted: Duration) {
    assert!(found <= wanted && found > wanted.saturating_sub(10 * SECOND), "{found:?} is not about {wanted:?}");
}

#[expect(missing_docs, reason = "the names say it")]
mod promises {
    use super::*;

    pub fn a_flow_lets_its_burst_through_and_no_more(on: &Limiter<'_>) -> Outcome {
        let charge = flow(1, HOUR, 3);
        for more in [2, 1, 0] {
            assert_eq!(left(&on.passes(&charge)?), [more]);
        }
        let exceeded = on.refuses(&charge)?;
        assert_eq!(exceeded.charge, charge);
        is_about(exceeded.retry_after, HOUR);
        Ok(())
    }

    pub fn a_window_lets_its_tries_through_and_no_more(on: &Limiter<'_>) -> Outcome {
        let charge = window(3);
        for more in [2, 1, 0] {
            assert_eq!(left(&on.passes(&charge)?), [more]);
        }
        is_about(on.refuses(&charge)?.retry_after, HOUR);
        is_about(on.refuses(&charge)?.retry_after, HOUR);
        Ok(())
    }

    pub fn keys_are_apart(on: &Limiter<'_>) -> Outcome {
        let (one, two) = (window(1), window(1));
        let _spent = on.passes(&one)?;
        on.refuses(&one)?;
        on.passes(&two).map(drop)
    }

    pub fn a_refund_restores(on: &Limiter<'_>) -> Outcome {
        for charge in [flow(1, HOUR, 2), window(2), relenting(2)] {
            let (first, second) = (on.passes(&charge)?, on.passes(&charge)?);
            on.refuses(&charge)?;
            on.limiter.refund(&first)?;
            let third = on.passes(&charge)?;
            on.refuses(&charge)?;
            on.limiter.refund(&second)?;
            on.limiter.refund(&third)?;
            assert_eq!(on.limiter.remaining(&charge)?, 2);
        }
        Ok(())
    }

    pub fn charges_are_counted_together_or_not_at_all(on: &Limiter<'_>) -> Outcome {
        let (wide, narrow) = (flow(1, HOUR, 9), window(1));
        let ReserveOutcome::Passed(both) = on.limiter.reserve(&[wide, narrow])? else {
            return Err(LimiterError("refused".to_owned()));
        };
        assert_eq!(left(&both), [8, 0]);
        for order in [[wide, narrow], [narrow, wide]] {
            let ReserveOutcome::Refused(exceeded) = on.limiter.reserve(&order)? else {
                return Err(LimiterError("passed".to_owned()));
            };
            assert_eq!(exceeded.charge, narrow);
        }
        assert_eq!(on.limiter.remaining(&wide)?, 8);
        on.limiter.refund(&both)?;
        assert_eq!((on.limiter.remaining(&wide)?, on.limiter.remaining(&narrow)?), (9, 1));
        Ok(())
    }

    pub fn of_64_callers_as_many_pass_as_the_budget_has(on: &Limiter<'_>) -> Outcome {
        let limiter = on.limiter;
        for charge in [flow(1, HOUR, 10), window(10), relenting(10)] {
            let together = [charge, flow(1, HOUR, 64)];
            let passed: Result<Vec<_>, LimiterError> = thread::scope(|scope| {
                let callers: Vec<_> = (0..64).map(|_| scope.spawn(|| limiter.reserve(&together))).collect();
                callers.into_iter().map(|c| c.join().map_err(|_| LimiterError("panicked".to_owned()))?).collect()
            });
            let passed = passed?.into_iter().filter(|reserved| matches!(reserved, ReserveOutcome::Passed(_))).count();
            assert_eq!(passed, 10);
        }
        Ok(())
    }

    pub fn asking_what_remains_counts_nothing(on: &Limiter<'_>) -> Outcome {
        for charge in [flow(1, HOUR, 2), window(2)] {
            for _ in 0..5 {
                assert_eq!(on.limiter.remaining(&charge)?, 2);
            }
            let _spent = on.passes(&charge)?;
            assert_eq!(on.limiter.remaining(&charge)?, 1);
        }
        Ok(())
    }

    pub fn a_flow_that_is_spent_lets_one_through_after_its_interval(on: &Limiter<'_>) -> Outcome {
        let charge = flow(1, SECOND, 1);
        let _first = on.passes(&charge)?;
        let refused = on.refuses(&charge)?;
        (on.wait)(refused.retry_after);
        let _second = on.passes(&charge)?;
        on.refuses(&charge).map(drop)
    }

    pub fn a_window_that_relents_doubles_its_waits(on: &Limiter<'_>) -> Outcome {
        let charge = relenting(2);
        let _spent = (on.passes(&charge)?, on.passes(&charge)?);
        for factor in [1, 2] {
            let refused = on.refuses(&charge)?;
            assert!(refused.retry_after <= factor * SECOND, "{refused:?}");
            (on.wait)(refused.retry_after);
            assert_eq!(left(&on.passes(&charge)?), [0]);
        }
        let refused = on.refuses(&charge)?;
        assert!(refused.retry_after > 2 * SECOND && refused.retry_after <= 4 * SECOND, "{refused:?}");
        Ok(())
    }

    pub fn a_short_period_ends_no_wait(on: &Limiter<'_>) -> Outcome {
        let charge = fresh(Rule::SlidingWindow(SlidingWindow::new(some(2), SECOND).with_backoff(60 * SECOND)));
        let _spent = (on.passes(&charge)?, on.passes(&charge)?);
        for _ in 0..2 {
            let refused = on.refuses(&charge)?;
            (on.wait)(refused.retry_after);
            assert_eq!(left(&on.passes(&charge)?), [0], "one try a wait");
        }
        on.refuses(&charge).map(drop)
    }

    pub fn each_waiter_waits_for_itself(on: &Limiter<'_>) -> Outcome {
        let charge = relenting(2);
        let [one, two] = [1, u64::MAX].map(|number| Charge { waiter: Waiter::new(number), ..charge });
        let _spent = (on.passes(&one)?, on.passes(&one)?);
        on.refuses(&two)?;
        (on.wait)(on.refuses(&one)?.retry_after);
        let first = on.passes(&one)?;
        on.refuses(&one)?;
        let _other = on.passes(&two)?;
        assert!(on.refuses(&two)?.retry_after > SECOND, "its second wait");
        on.limiter.refund(&first)?;
        on.refuses(&two)?;
        on.passes(&one).map(drop)
    }

    pub fn what_is_cleared_is_forgotten(on: &Limiter<'_>) -> Outcome {
        for charge in [flow(1, HOUR, 1), window(1), relenting(1)] {
            let (other, before) = (fresh(charge.rule), on.passes(&charge)?);
            let _spent = on.passes(&other)?;
            on.limiter.clear(&[charge])?;
            let _again = on.passes(&charge)?;
            on.refuses(&other)?;
            on.refuses(&charge)?;
            on.limiter.clear(&[charge])?;
            on.limiter.refund(&before)?;
            assert_eq!(on.limiter.remaining(&charge)?, 1, "there is nothing to give back");
        }
        Ok(())
    }

    pub fn a_success_after_a_wait_leaves_all_as_it_was(on: &Limiter<'_>) -> Outcome {
        let charge = relenting(1);
        let _spent = on.passes(&charge)?;
        let refused = on.refuses(&charge)?;
        (on.wait)(refused.retry_after);
        let success = on.passes(&charge)?;
        on.refuses(&charge)?;
        on.limiter.refund(&success)?;
        on.passes(&charge).map(drop)
    }

    pub fn a_refund_that_nobody_remembers_changes_nothing(on: &Limiter<'_>) -> Outcome {
        for charge in [flow(1, HOUR, 2), window(2)] {
            let other = fresh(charge.rule);
            let mut elsewhere = on.passes(&charge)?;
            for held in &mut elsewhere.held {
                held.charge = other;
            }
            on.limiter.refund(&elsewhere)?;
            assert_eq!((on.limiter.remaining(&other)?, on.limiter.remaining(&charge)?), (2, 1));
        }
        Ok(())
    }
}
pub use promises::*;
