//! Callers whose work is in one transaction, and the outcome of its commit.

use parking_lot::{Condvar, Mutex};
use portcullis_ports::StoreError;
use std::sync::Arc;
use std::time::Duration;

/// Limits of a group: its first caller waits for the work of all others.
const MAX_MEMBERS: usize = 64;
const MAX_AGE: Duration = Duration::from_millis(10);

/// Callers whose work a transaction contains. If it is dropped without [`complete`](Self::complete),
/// they get an error, so that none waits in vain.
pub(super) struct CommitGroup {
    members: Vec<Arc<CommitWaiter>>,
    /// Start of the transaction, by the store's clock.
    begun: Duration,
}

/// Member of a group.
pub(super) struct CommitWaiter {
    outcome: Mutex<Option<Result<(), StoreError>>>,
    told: Condvar,
}

impl CommitGroup {
    pub(super) fn new(begun: Duration) -> Self {
        Self { members: Vec::new(), begun }
    }

    pub(super) fn begun(&self) -> Duration {
        self.begun
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns whether the transaction must be committed although others wait to join.
    pub(super) fn is_full(&self, now: Duration) -> bool {
        self.members.len() >= MAX_MEMBERS || now.saturating_sub(self.begun) >= MAX_AGE
    }

    /// Adds a member whose work is done.
    pub(super) fn join(&mut self) -> Arc<CommitWaiter> {
        let member = Arc::new(CommitWaiter { outcome: Mutex::new(None), told: Condvar::new() });
        self.members.push(Arc::clone(&member));
        member
    }

    /// Sends the outcome of the transaction to all members.
    pub(super) fn complete(mut self, outcome: &Result<(), StoreError>) {
        self.tell_all(outcome);
    }

    fn tell_all(&mut self, outcome: &Result<(), StoreError>) {
        for member in self.members.drain(..) {
            *member.outcome.lock() = Some(outcome.clone());
            member.told.notify_one();
        }
    }
}

impl Drop for CommitGroup {
    fn drop(&mut self) {
        self.tell_all(&Err(StoreError::Unavailable("the transaction was lost".to_owned())));
    }
}

impl CommitWaiter {
    /// Waits for the commit. After a timeout its outcome is unknown.
    pub(super) fn outcome(&self, wait: Duration) -> Result<(), StoreError> {
        let mut outcome = self.outcome.lock();
        self.told.wait_while_for(&mut outcome, |outcome| outcome.is_none(), wait);
        let unknown = || Err(StoreError::Unavailable(format!("no commit was confirmed within {wait:?}")));
        outcome.take().unwrap_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_group_is_bounded_in_number_and_time() {
        let mut group = CommitGroup::new(LONG);
        assert!(group.is_empty());
        for _ in 1..MAX_MEMBERS {
            group.join();
        }
        assert!(!group.is_full(LONG + MAX_AGE / 2));
        assert!(group.is_full(LONG + MAX_AGE));
        group.join();
        assert!(group.is_full(LONG));
    }

    #[test]
    fn every_member_is_told_the_same() {
        let mut group = CommitGroup::new(Duration::ZERO);
        let members = [group.join(), group.join()];
        let outcome = Err(StoreError::Unwritable("database or disk is full".to_owned()));
        group.complete(&outcome);
        assert_eq!(members.map(|member| member.outcome(LONG)), [outcome.clone(), outcome]);
    }

    #[test]
    fn lost_commit_group_is_an_error_and_a_stuck_one_times_out() {
        let mut group = CommitGroup::new(Duration::ZERO);
        let (one, other) = (group.join(), group.join());
        assert!(one.outcome(Duration::from_millis(1)).is_err_and(|error| error.is_outage()));
        drop(group);
        assert_eq!(other.outcome(LONG), Err(StoreError::Unavailable("the transaction was lost".to_owned())));
    }
}
