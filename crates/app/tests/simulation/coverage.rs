//! Coverage counts, so that a simulation in which nothing happens fails.

use std::collections::BTreeMap;

/// Events that all runs together must have met.
pub(crate) const ALL: [&str; 37] = [
    "access token expired",
    "answer lost after the commit",
    "authenticated",
    "bulkhead refused",
    "call dropped before the commit",
    "circuit closed by a probe",
    "circuit opened",
    "circuit opened again by a probe",
    "code reused",
    "email taken",
    "factor enrolled",
    "factor removed",
    "garbage refused",
    "hash replaced",
    "inactive account refused",
    "logged in",
    "login overtaken by an enrolment",
    "login refused",
    "logged out",
    "late answer ignored by the circuit",
    "never signed",
    "panic",
    "process died",
    "refresh token expired",
    "refreshed",
    "refused by the open circuit",
    "refused while a probe ran",
    "registered",
    "second factor due",
    "slow call",
    "spent or revoked token refused",
    "store busy",
    "store failed",
    "store unavailable",
    "theft",
    "token from the future refused",
    "token of the other kind refused",
];

/// Number of events by name.
#[derive(Debug, Default)]
pub(crate) struct Coverage(pub(crate) BTreeMap<&'static str, u64>);

impl Coverage {
    pub(crate) fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (what, count) in other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    /// Returns the expected events that were not met and the met events that are not listed.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let unmet = ALL.into_iter().filter(|what| !self.0.contains_key(what));
        unmet.chain(self.0.keys().copied().filter(|what| !ALL.contains(what))).collect()
    }
}
