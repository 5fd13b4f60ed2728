//! A hasher whose hashes can be read by eye. How slow a hash is, and who waits, is left to real ones.

use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{HasherError, PasswordHasher, Patience, Verification};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Stores `new.1:password`, with another number each time. Of what is adopted, `new:password` is
/// current, `old:password` outdated, and anything else unreadable. It refuses a caller whose
/// patience is over, as if there had been a queue.
#[derive(Debug, Default)]
pub struct PlainHasher {
    /// How many hashes were asked for.
    pub work: AtomicUsize,
    /// Whether to refuse everybody.
    pub busy: AtomicBool,
    /// Whether to refuse those alone who want a new hash.
    pub full: AtomicBool,
    /// The accounts that stand-ins were asked for.
    pub stand_ins: Mutex<Vec<String>>,
}

impl PlainHasher {
    /// What a refused caller is told to wait.
    pub const RETRY_AFTER: Duration = Duration::from_secs(2);

    fn count(&self, refuses: &AtomicBool, patience: &Patience) -> Result<usize, HasherError> {
        let count = self.work.fetch_add(1, Ordering::SeqCst);
        let busy = self.busy.load(Ordering::SeqCst) || refuses.load(Ordering::SeqCst) || patience.is_over();
        if busy { Err(HasherError::Busy { retry_after: Self::RETRY_AFTER }) } else { Ok(count) }
    }
}

impl PasswordHasher for PlainHasher {
    fn hash(&self, password: &Password, patience: &Patience) -> Result<PasswordHash, HasherError> {
        let count = self.count(&self.full, patience)?;
        Ok(PasswordHash::new(format!("new.{count}:{}", password.expose())))
    }

    fn rehash(&self, password: &Password, _: &PasswordHash, patience: &Patience) -> Result<PasswordHash, HasherError> {
        self.hash(password, patience)
    }

    fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        patience: &Patience,
    ) -> Result<Verification, HasherError> {
        self.count(&self.busy, patience)?;
        let Some((scheme, stored)) = hash.expose().split_once(':') else { return Ok(Verification::Unreadable) };
        let outdated = match scheme.split('.').next() {
            Some("new") => false,
            Some("old") => true,
            _ => return Ok(Verification::Unreadable),
        };
        let same = stored == password.expose();
        Ok(if same { Verification::Match { outdated } } else { Verification::Mismatch })
    }

    fn verify_stand_in(&self, _: &Password, account: &str, patience: &Patience) -> Result<(), HasherError> {
        if let Ok(mut stand_ins) = self.stand_ins.lock() {
            stand_ins.push(account.to_owned());
        }
        self.count(&self.busy, patience).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::hasher_conformance!(|run: &dyn Fn(&dyn PasswordHasher)| run(&PlainHasher::default()));
}
