//! Hashing rules: which scheme a password gets, how a stored hash is verified, and when it is outdated.
//! The caller decides where the slow part runs.

use crate::{
    computation::{Computation, Digest},
    cost::Cost,
    dummy::StoredCosts,
    key::Key,
    stored::{Salt, Scheme, StoredHash},
};
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{CancellationToken, Entropy, EntropyExt, HasherError, PasswordCheck, PasswordHasher};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Hasher that runs bcrypt immediately on the calling thread and ignores cancellation.
///
/// A password of up to 71 bytes without NUL gets a plain `$2b$` hash. Any other gets passlib's
/// `$bcrypt-sha256$v=2`, so that every byte counts. `$2a$`, `$2y$` and passlib's first version are
/// verified as well.
///
/// Every call computes one slow hash of the configured cost, or of the stored cost if that is higher.
/// If the hash is missing or unreadable, the cost is drawn from those of the stored hashes
/// ([`StoredCosts`]), so timing reveals neither whether the hash was readable nor whether the account
/// exists.
pub struct BcryptHasher {
    cost: Cost,
    entropy: Arc<dyn Entropy>,
    stored_costs: Option<Arc<StoredCosts>>,
}

impl BcryptHasher {
    /// Creates a hasher that hashes at `cost`, with salts from `entropy`.
    #[must_use]
    pub fn new(cost: Cost, entropy: Arc<dyn Entropy>) -> Self {
        Self { cost, entropy, stored_costs: None }
    }

    /// Draws the costs of dummy hashes from those of stored hashes. Without this, they all have the
    /// configured cost.
    #[must_use]
    pub fn with_stored_costs(self, costs: Arc<StoredCosts>) -> Self {
        Self { stored_costs: Some(costs), ..self }
    }

    pub(crate) fn cost(&self) -> Cost {
        self.cost
    }

    pub(crate) fn hash_by(
        &self,
        password: &Password,
        run: impl FnOnce(Computation) -> Result<Digest, HasherError>,
    ) -> Result<PasswordHash, HasherError> {
        self.hash_at(self.cost, password, run)
    }

    pub(crate) fn rehash_by(
        &self,
        password: &Password,
        outdated: &PasswordHash,
        run: impl FnOnce(Computation) -> Result<Digest, HasherError>,
    ) -> Result<PasswordHash, HasherError> {
        let stored = StoredHash::parse(outdated.expose()).filter(|stored| self.can_read(stored));
        self.hash_at(stored.map_or(self.cost, |stored| stored.cost.max(self.cost)), password, run)
    }

    fn hash_at(
        &self,
        cost: Cost,
        password: &Password,
        run: impl FnOnce(Computation) -> Result<Digest, HasherError>,
    ) -> Result<PasswordHash, HasherError> {
        let scheme = if fits_plain(password) { Scheme::Plain } else { Scheme::Hmac };
        let salt = Salt(self.entropy.array());
        let digest = run(self.computation(key(scheme, password, &salt), salt, cost))?;
        Ok(StoredHash { scheme, cost, salt, digest: *digest }.to_text())
    }

    pub(crate) fn verify_by(
        &self,
        password: &Password,
        hash: &PasswordHash,
        run: impl FnOnce(Computation) -> Result<Digest, HasherError>,
    ) -> Result<PasswordCheck, HasherError> {
        let Some(stored) = StoredHash::parse(hash.expose()).filter(|stored| self.can_read(stored)) else {
            self.stand_in_by(password, hash.expose(), run)?;
            return Ok(PasswordCheck::Unreadable);
        };
        let key = key(stored.scheme, password, &stored.salt);
        let digest = run(self.computation(key, stored.salt, stored.cost))?;
        let same = bool::from(digest.ct_eq(stored.digest.as_slice()));
        // bcrypt repeats its key, so it treats "abc" and "abc\0abc" as equal.
        if same && !(is_plain(stored.scheme) && has_nul(password)) {
            Ok(PasswordCheck::Match { needs_rehash: self.is_outdated(&stored, password) })
        } else {
            Ok(PasswordCheck::Mismatch)
        }
    }

    pub(crate) fn stand_in_by(
        &self,
        password: &Password,
        account: &str,
        run: impl FnOnce(Computation) -> Result<Digest, HasherError>,
    ) -> Result<(), HasherError> {
        let drawn = self.stored_costs.as_ref().and_then(|costs| costs.draw(account));
        let cost = drawn.filter(|cost| *cost <= self.highest_readable()).unwrap_or(self.cost);
        let computation = self.computation(Key::plain(password.expose()), Salt([0; 16]), cost);
        run(computation).map(drop)
    }

    fn computation(&self, key: Key, salt: Salt, cost: Cost) -> Computation {
        Computation { key, salt, cost, no_faster_than: self.cost }
    }

    fn can_read(&self, stored: &StoredHash) -> bool {
        stored.cost <= self.highest_readable()
    }

    fn highest_readable(&self) -> Cost {
        self.cost.max(Cost::HIGHEST_READABLE)
    }

    fn is_outdated(&self, stored: &StoredHash, password: &Password) -> bool {
        let current = match stored.scheme {
            Scheme::Plain => fits_plain(password),
            Scheme::Hmac => true,
            Scheme::PlainRenamed | Scheme::Sha256 => false,
        };
        !current || stored.cost < self.cost
    }
}

impl PasswordHasher for BcryptHasher {
    fn hash(&self, password: &Password, _: &CancellationToken) -> Result<PasswordHash, HasherError> {
        self.hash_by(password, run_here)
    }

    fn rehash(
        &self,
        password: &Password,
        outdated: &PasswordHash,
        _: &CancellationToken,
    ) -> Result<PasswordHash, HasherError> {
        self.rehash_by(password, outdated, run_here)
    }

    fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        _: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError> {
        self.verify_by(password, hash, run_here)
    }

    fn placeholder(&self) -> PasswordHash {
        let (salt, digest) = (Salt(self.entropy.array()), self.entropy.array());
        StoredHash { scheme: Scheme::Plain, cost: self.cost, salt, digest }.to_text()
    }

    fn dummy_verify(&self, password: &Password, account: &str, _: &CancellationToken) -> Result<(), HasherError> {
        self.stand_in_by(password, account, run_here)
    }
}

// Takes the computation by value so that the key is wiped right after use.
fn run_here(computation: Computation) -> Result<Digest, HasherError> {
    Ok(computation.alone())
}

fn key(scheme: Scheme, password: &Password, salt: &Salt) -> Key {
    match scheme {
        Scheme::Plain | Scheme::PlainRenamed => Key::plain(password.expose()),
        Scheme::Sha256 => Key::sha256(password.expose()),
        Scheme::Hmac => Key::hmac(password.expose(), salt),
    }
}

fn is_plain(scheme: Scheme) -> bool {
    matches!(scheme, Scheme::Plain | Scheme::PlainRenamed)
}

fn fits_plain(password: &Password) -> bool {
    password.expose().len() <= Key::LONGEST_PLAIN && !has_nul(password)
}

fn has_nul(password: &Password) -> bool {
    password.expose().contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_ports::MacSigner;
    use std::cell::RefCell;

    struct Fixed;
    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(9);
        }
    }

    fn hasher(cost: u32) -> BcryptHasher {
        BcryptHasher::new(Cost::new(cost).unwrap(), Arc::new(Fixed))
    }

    /// Verifies without hashing. Returns the requested costs: nominal and minimum.
    fn costs(configured: u32, stored: &str) -> (PasswordCheck, Vec<(u32, u32)>) {
        let asked = RefCell::new(Vec::new());
        let run = |computation: Computation| -> Result<Digest, HasherError> {
            asked.borrow_mut().push((computation.cost.get(), computation.no_faster_than.get()));
            Ok([0; 23].into())
        };
        let stored = PasswordHash::new(stored.to_owned());
        let verification = hasher(configured).verify_by(&Password::new("a\0b"), &stored, run).unwrap();
        (verification, asked.into_inner())
    }

    #[test]
    fn every_answer_takes_one_hash_of_the_configured_cost() {
        let tail = format!("{}{}", ".".repeat(22), ".".repeat(31));
        assert_eq!(costs(12, "nonsense"), (PasswordCheck::Unreadable, vec![(12, 12)]));
        assert_eq!(costs(12, &format!("$2b$12${tail}")), (PasswordCheck::Mismatch, vec![(12, 12)]), "a NUL");
        assert_eq!(costs(12, &format!("$2b$04${tail}")), (PasswordCheck::Mismatch, vec![(4, 12)]));
        assert_eq!(costs(10, &format!("$2b$12${tail}")), (PasswordCheck::Mismatch, vec![(12, 10)]));
    }

    struct Plain;
    impl MacSigner for Plain {
        fn sign(&self, message: &[u8]) -> [u8; 32] {
            let mut code = [0; 32];
            code[..8].copy_from_slice(&message[..8]);
            code
        }

        fn verify(&self, message: &[u8], code: &[u8; 32]) -> bool {
            self.sign(message) == *code
        }
    }

    #[test]
    fn stand_ins_have_the_costs_of_stored_hashes() {
        let hash = |cost: u32| PasswordHash::new(format!("$2b${cost:02}${}", ".".repeat(53)));
        let costs = Arc::new(StoredCosts::new(Arc::new(Plain)));
        let hasher = hasher(10).with_stored_costs(Arc::clone(&costs));
        let cost = |account: &str| {
            let asked = RefCell::new(Vec::new());
            let run = |computation: Computation| -> Result<Digest, HasherError> {
                asked.borrow_mut().push(computation.cost.get());
                Ok([0; 23].into())
            };
            hasher.stand_in_by(&Password::new("a"), account, run).unwrap();
            let unreadable = PasswordHash::new(account.to_owned());
            hasher.verify_by(&Password::new("a"), &unreadable, run).unwrap();
            let asked = asked.into_inner();
            assert_eq!(asked[0], asked[1], "an unreadable hash is like no account");
            asked[0]
        };
        // In ascending order of their first bytes.
        let accounts = ["\0\0\0\0\0\0\0\0", "00000000", "?zzzzzzz", "Azzzzzzz", "zzzzzzzz", "\u{7f}zzzzzzz"];
        assert_eq!(accounts.map(cost), [10; 6], "nothing is known");
        costs.learn(&[hash(12), hash(12), hash(4), PasswordHash::new("?".to_owned())]);
        assert_eq!(accounts.map(cost), [4, 4, 4, 4, 12, 12]);
        costs.learn(&[hash(12)]);
        assert_eq!(accounts.map(cost), [12; 6]);
        costs.learn(&[hash(31)]);
        assert_eq!(accounts.map(cost), [10; 6], "no thread is held for a day");
    }

    #[test]
    fn a_lower_cost_makes_no_hash_outdated_and_a_new_one_no_cheaper() {
        let hash = |cost: u32| PasswordHash::new(format!("$2b${cost:02}${}", ".".repeat(53)));
        let digest = |_: Computation| -> Result<Digest, HasherError> {
            Ok(StoredHash::parse(hash(4).expose()).unwrap().digest.into())
        };
        for (configured, stored, needs_rehash) in [(10, 12, false), (12, 12, false), (12, 10, true)] {
            let verification = hasher(configured).verify_by(&Password::new("a"), &hash(stored), digest).unwrap();
            assert_eq!(verification, PasswordCheck::Match { needs_rehash }, "{configured} {stored}");
        }
        let long = Password::new("a".repeat(80));
        assert_eq!(hasher(10).verify_by(&long, &hash(12), digest), Ok(PasswordCheck::Match { needs_rehash: true }));
        for (configured, stored, cost) in [(10, "12", 12), (12, "10", 12), (10, "31", 10), (10, "x", 10)] {
            let outdated = PasswordHash::new(format!("$2b${stored}${}", ".".repeat(53)));
            let new = hasher(configured).rehash_by(&long, &outdated, digest).unwrap();
            assert_eq!(StoredHash::parse(new.expose()).unwrap().cost.get(), cost, "{configured} {stored}");
        }
    }

    #[test]
    fn a_cost_that_would_take_hours_is_unreadable() {
        let hash = |cost: u32| format!("$2b${cost}${}", ".".repeat(53));
        assert_eq!(costs(12, &hash(16)).1, [(16, 12)]);
        assert_eq!(costs(12, &hash(17)), (PasswordCheck::Unreadable, vec![(12, 12)]));
        assert_eq!(costs(12, &hash(31)), (PasswordCheck::Unreadable, vec![(12, 12)]));
        assert_eq!(costs(18, &hash(18)).1, [(18, 18)], "the configured one is no damage");
    }
}
