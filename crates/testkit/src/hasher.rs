//! Password hasher with readable hashes.

use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{CancellationToken, HasherError, PasswordCheck, PasswordHasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Stores `new.1:password`, with another number each time. Of adopted hashes, `new:password` is
/// current, `old:password` is outdated, and anything else is unreadable. Refuses cancelled callers, as
/// a queue would, unless told otherwise.
#[derive(Debug, Default)]
pub struct PlainHasher {
    /// Number of requested hashes.
    pub work: AtomicUsize,
    /// Set to refuse all callers.
    pub busy: AtomicBool,
    /// Set to refuse only callers who request a new hash.
    pub full: AtomicBool,
    /// True to hash for cancelled callers as well.
    pub ignores_cancellation: bool,
    /// Accounts for which dummy hashes were requested, up to a thousand.
    pub stand_ins: Mutex<Vec<String>>,
}

impl PlainHasher {
    /// `retry_after` of refused callers.
    pub const RETRY_AFTER: Duration = Duration::from_secs(2);

    fn count(&self, refuses: &AtomicBool, cancellation: &CancellationToken) -> Result<usize, HasherError> {
        let count = self.work.fetch_add(1, Ordering::SeqCst);
        let gone = cancellation.is_cancelled() && !self.ignores_cancellation;
        let busy = self.busy.load(Ordering::SeqCst) || refuses.load(Ordering::SeqCst) || gone;
        if busy { Err(HasherError::Busy { retry_after: Self::RETRY_AFTER }) } else { Ok(count) }
    }
}

impl PasswordHasher for PlainHasher {
    fn hash(&self, password: &Password, cancellation: &CancellationToken) -> Result<PasswordHash, HasherError> {
        let count = self.count(&self.full, cancellation)?;
        Ok(PasswordHash::new(format!("new.{count}:{}", password.expose())))
    }

    fn rehash(
        &self,
        password: &Password,
        _: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordHash, HasherError> {
        self.hash(password, cancellation)
    }

    fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError> {
        self.count(&self.busy, cancellation)?;
        let Some((scheme, stored)) = hash.expose().split_once(':') else { return Ok(PasswordCheck::Unreadable) };
        let outdated = match scheme.split('.').next() {
            Some("new") => false,
            Some("old") => true,
            _ => return Ok(PasswordCheck::Unreadable),
        };
        let same = stored == password.expose();
        Ok(if same { PasswordCheck::Match { needs_rehash: outdated } } else { PasswordCheck::Mismatch })
    }

    fn placeholder(&self) -> PasswordHash {
        PasswordHash::new(format!("new.{}:\\0", self.work.fetch_add(1, Ordering::SeqCst)))
    }

    fn dummy_verify(&self, _: &Password, account: &str, cancellation: &CancellationToken) -> Result<(), HasherError> {
        if let Ok(mut stand_ins) = self.stand_ins.lock()
            && stand_ins.len() < 1_000
        {
            stand_ins.push(account.to_owned());
        }
        self.count(&self.busy, cancellation).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::hasher_conformance!(|run: &dyn Fn(&dyn PasswordHasher)| run(&PlainHasher::default()));
}
