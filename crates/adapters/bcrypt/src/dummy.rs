//! Costs of dummy hashes, drawn from those of stored hashes.

use crate::{cost::Cost, stored::StoredHash};
use parking_lot::RwLock;
use portcullis_domain::registration::PasswordHash;
use portcullis_ports::MacSigner;
use std::sync::Arc;

/// Distribution of the costs in a sample of stored hashes. The keyed hash of an account name selects a
/// cost from it. The same name gets the same cost on every replica and after a restart. Without the
/// key, the cost cannot be predicted.
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
    /// Costs in ascending order, each with the number of hashes that have it.
    tally: RwLock<Vec<(Cost, u64)>>,
}

impl StoredCosts {
    /// Creates an empty distribution; `authenticator` signs the account names.
    #[must_use]
    pub fn new(authenticator: Arc<dyn MacSigner>) -> Self {
        Self { authenticator, tally: RwLock::default() }
    }

    /// Replaces the distribution with that of `sample`. Unreadable hashes are ignored.
    pub fn learn(&self, sample: &[PasswordHash]) {
        let mut tally: Vec<(Cost, u64)> = Vec::new();
        for cost in sample.iter().filter_map(|hash| Some(StoredHash::parse(hash.expose())?.cost)) {
            match tally.iter_mut().find(|(known, _)| *known == cost) {
                Some((_, count)) => *count += 1,
                None => tally.push((cost, 1)),
            }
        }
        tally.sort_unstable();
        *self.tally.write() = tally;
    }

    /// Returns the cost for an account name, or `None` if the distribution is empty.
    pub(crate) fn draw(&self, account: &str) -> Option<Cost> {
        let tally = self.tally.read();
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
