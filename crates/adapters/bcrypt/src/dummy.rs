//! What a hash costs where there is none to verify: as much as those that are stored.

use crate::{cost::Cost, stored::StoredHash};
use portcullis_domain::registration::PasswordHash;
use portcullis_ports::MacSigner;
use std::sync::{Arc, PoisonError, RwLock};

/// The costs of stored hashes, as a sample of them shows. Each account name draws one of them by a
/// keyed hash of it: the same name draws the same cost, also on other replicas and after a
/// restart, and only who knows the key knows which.
///
/// ```
/// use portcullis_bcrypt::StoredCosts;
/// # use portcullis_domain::registration::PasswordHash;
/// # use portcullis_ports::MacSigner;
/// # fn costs(authenticator: std::sync::Arc<dyn MacSigner>, sample: &[PasswordHash]) {
/// let costs = StoredCosts::new(authenticator);
/// costs.learn(sample);
/// # }
/// ```
pub struct StoredCosts {
    authenticator: Arc<dyn MacSigner>,
    /// The costs, from low to high, and how many hashes of the sample have each.
    tally: RwLock<Vec<(Cost, u64)>>,
}

impl StoredCosts {
    /// Knows no costs yet.
    #[must_use]
    pub fn new(authenticator: Arc<dyn MacSigner>) -> Self {
        Self { authenticator, tally: RwLock::default() }
    }

    /// Replaces what is known by what a sample shows. Hashes that cannot be read do not count.
    pub fn learn(&self, sample: &[PasswordHash]) {
        let mut tally: Vec<(Cost, u64)> = Vec::new();
        for cost in sample.iter().filter_map(|hash| Some(StoredHash::parse(hash.expose())?.cost)) {
            match tally.iter_mut().find(|(known, _)| *known == cost) {
                Some((_, count)) => *count += 1,
                None => tally.push((cost, 1)),
            }
        }
        tally.sort_unstable();
        *self.tally.write().unwrap_or_else(PoisonError::into_inner) = tally;
    }

    /// The cost that an account name draws; `None` while none is known.
    pub(crate) fn draw(&self, account: &str) -> Option<Cost> {
        let tally = self.tally.read().unwrap_or_else(PoisonError::into_inner);
        let code = self.authenticator.sign(account.as_bytes());
        let fraction = u64::from_be_bytes(code.first_chunk().copied().unwrap_or_default());
        let total = u128::from(tally.iter().map(|(_, count)| count).sum::<u64>());
        let mut place = (u128::from(fraction) * total) >> 64;
        tally.iter().find_map(|(cost, count)| match place.checked_sub(u128::from(*count)) {
            Some(rest) => {
                place = rest;
                None
            }
            None => Some(*cost),
        })
    }
}
