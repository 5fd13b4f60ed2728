//! Rate limiter in Redis. A script updates all budgets of a call atomically, in one round trip and by
//! the server's clock, so clock skew between replicas does not matter. Keys expire once they have no
//! effect.

use crate::RedisPool;
use crate::script::Script;
use crate::trial::Trial;
use portcullis_domain::limits::{Receipt, Rule, WindowReceipt};
use portcullis_ports::{Charge, Exceeded, HeldCharge, LimiterError, RateLimiter, Reservation, ReserveOutcome};
use std::time::Duration;

/// Rate limiter shared by all replicas. Requires Redis 6.0 or Valkey.
pub struct RedisLimiter {
    redis: RedisPool,
    script: Script,
    trial: Trial,
}

/// Prefix of all keys. Its hash tag puts them into one cluster slot, as Redis requires for the keys of
/// a script.
const PREFIX: &str = "portcullis:{limits}:";

impl RedisLimiter {
    /// Creates a limiter that uses this pool.
    #[must_use]
    pub fn new(redis: RedisPool) -> Self {
        Self { redis, script: Script::new(include_str!("limits.lua")), trial: Trial::new() }
    }

    fn run(&self, action: &str, calls: &[Call]) -> Result<Vec<i64>, LimiterError> {
        let keys: Vec<_> = calls.iter().map(|(charge, _)| key(charge)).collect();
        let mut arguments = vec![action.to_owned()];
        arguments.extend(calls.iter().flat_map(|(charge, more)| words(charge, *more)));
        self.redis.call(|connection| self.script.run(connection, &keys, &arguments)).map_err(LimiterError)
    }
}

/// A charge and three more arguments of the script.
type Call = (Charge, [u64; 3]);

/// Returns the key of a charge. The version of the window format is part of it, so that releases with
/// another format never read it.
fn key(charge: &Charge) -> String {
    let format = if matches!(charge.rule, Rule::SlidingWindow(_)) { "2:" } else { "" };
    format!("{PREFIX}{}:{format}{}", charge.budget.as_str(), charge.key)
}

fn words(charge: &Charge, more: [u64; 3]) -> impl Iterator<Item = String> {
    let (kind, one, two) = match charge.rule {
        Rule::Gcra(flow) => ("f", micros(flow.interval()), micros(flow.tolerance())),
        Rule::SlidingWindow(window) => ("w", window.limit().into(), micros(window.period())),
    };
    // Passed as text, since Lua cannot represent such large integers exactly.
    let waiter = format!("{:x}", charge.waiter.get());
    let numbers = [one, two].into_iter().chain(more).map(|number| number.to_string());
    std::iter::once(kind.to_owned()).chain(numbers).chain([waiter])
}

impl RateLimiter for RedisLimiter {
    fn reserve(&self, charges: &[Charge]) -> Result<ReserveOutcome, LimiterError> {
        let calls: Vec<_> = charges.iter().map(|charge| (*charge, [first_wait(charge), 0, 0])).collect();
        let answer = self.run("reserve", &calls)?;
        match answer.as_slice() {
            [0, taken @ ..] if taken.len() == 4 * charges.len() => {
                let held = charges.iter().zip(taken.chunks_exact(4)).map(|(charge, numbers)| held(*charge, numbers));
                Ok(ReserveOutcome::Passed(Reservation { held: held.collect(), secondary: Vec::new() }))
            }
            [1, place, wait] => {
                let place = usize::try_from(*place).ok().and_then(|place| place.checked_sub(1));
                let charge = place.and_then(|place| charges.get(place)).ok_or_else(unexpected_reply)?;
                let retry_after = time(*wait).max(Duration::from_micros(1));
                Ok(ReserveOutcome::Refused(Exceeded { charge: *charge, retry_after }))
            }
            _ => Err(unexpected_reply()),
        }
    }

    fn refund(&self, reservation: &Reservation) -> Result<(), LimiterError> {
        let calls: Vec<_> = reservation.held.iter().map(|held| (held.charge, receipt(held))).collect();
        self.run("refund", &calls).map(drop)
    }

    fn clear(&self, charges: &[Charge]) -> Result<(), LimiterError> {
        let calls: Vec<_> = charges.iter().map(|charge| (*charge, [0; 3])).collect();
        self.run("clear", &calls).map(drop)
    }

    fn remaining(&self, charge: &Charge) -> Result<u32, LimiterError> {
        match self.run("remaining", &[(*charge, [first_wait(charge), 0, 0])])?.as_slice() {
            [0, left] => u32::try_from(*left).map_err(|_| unexpected_reply()),
            _ => Err(unexpected_reply()),
        }
    }

    /// Writes, because a server may respond to reads and still count nothing.
    fn check(&self) -> Result<(), LimiterError> {
        self.redis.call(|connection| self.trial.run(connection)).map_err(LimiterError)
    }
}

fn unexpected_reply() -> LimiterError {
    LimiterError("an answer that is none".to_owned())
}

fn first_wait(charge: &Charge) -> u64 {
    match charge.rule {
        Rule::Gcra(_) => 0,
        Rule::SlidingWindow(window) => window.first_wait().map_or(0, micros),
    }
}

fn held(charge: Charge, numbers: &[i64]) -> HeldCharge {
    let [at, before, waited, left] = numbers.first_chunk().copied().unwrap_or_default();
    let receipt = match charge.rule {
        Rule::Gcra(_) => Receipt::Gcra,
        Rule::SlidingWindow(_) => {
            let waited = (waited == 1).then(|| (charge.waiter, time(before)));
            Receipt::SlidingWindow(WindowReceipt { at: time(at), backed_off: waited })
        }
    };
    HeldCharge { charge, receipt, remaining: u32::try_from(left).unwrap_or_default() }
}

fn receipt(held: &HeldCharge) -> [u64; 3] {
    match held.receipt {
        Receipt::Gcra => [0; 3],
        Receipt::SlidingWindow(one) => {
            let before = one.backed_off.map_or(0, |(_, before)| micros(before));
            [micros(one.at), before, one.backed_off.is_some().into()]
        }
    }
}

/// Converts a time to microseconds that Lua represents exactly. Settings allow at most a day.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(1 << 52)
}

fn time(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
