//! Outbox in memory.

use super::Transaction;
use chrono::{DateTime, SubsecRound, Utc};
use portcullis_domain::mail::{NewMail, Occasion};
use portcullis_domain::registration::UserId;
use portcullis_domain::verification::PasswordVersion;
use portcullis_ports::{MailId, OutboxCounts, OutboxRepository, QueuedMail, StoreError};
use std::ops::Bound::{Excluded, Unbounded};

impl Transaction {
    /// Returns the email if it is still at that attempt and not dead.
    fn at_try(&mut self, id: MailId, tries: u32) -> Result<Option<&mut QueuedMail>, StoreError> {
        let mail = self.writable()?.mails.get_mut(&id);
        Ok(mail.filter(|mail| mail.tries == tries && mail.dead_at.is_none()))
    }
}

impl OutboxRepository for Transaction {
    fn enqueue(&mut self, mail: &NewMail) -> Result<(), StoreError> {
        let state = self.writable()?;
        if mail.user_id.is_some_and(|id| !state.users.contains_key(&id)) {
            return Err(self.refuse("there is no such account"));
        }
        state.last_mail += 1;
        let (id, due_at) = (MailId(state.last_mail), mail.created_at.trunc_subsecs(6));
        let order = NewMail { created_at: due_at, ..mail.clone() };
        let queued =
            QueuedMail { id, mail: order, tries: 0, token_issued: false, due_at, dead_at: None, last_error: None };
        state.mails.insert(id, queued);
        Ok(())
    }

    fn claim_next(&mut self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Option<QueuedMail>, StoreError> {
        let due = |mail: &&mut QueuedMail| mail.dead_at.is_none() && mail.due_at <= now;
        let mail = self.writable()?.mails.values_mut().filter(due).min_by_key(|mail| (mail.due_at, mail.id));
        Ok(mail.map(|mail| {
            mail.tries = mail.tries.saturating_add(1);
            mail.due_at = until.trunc_subsecs(6);
            mail.clone()
        }))
    }

    fn mark_token_issued(&mut self, id: MailId) -> Result<(), StoreError> {
        if let Some(mail) = self.writable()?.mails.get_mut(&id) {
            mail.token_issued = true;
        }
        Ok(())
    }

    fn rebind(&mut self, old: &PasswordVersion, new: &PasswordVersion) -> Result<(), StoreError> {
        let mails = self.writable()?.mails.values_mut();
        mails.filter(|mail| mail.mail.password == Some(*old)).for_each(|mail| mail.mail.password = Some(*new));
        Ok(())
    }

    fn remove(&mut self, id: MailId, tries: u32) -> Result<bool, StoreError> {
        let removes = self.at_try(id, tries)?.is_some();
        if removes {
            self.writable()?.mails.remove(&id);
        }
        Ok(removes)
    }

    fn postpone(&mut self, id: MailId, tries: u32, due_at: DateTime<Utc>, error: &str) -> Result<bool, StoreError> {
        let mail = self.at_try(id, tries)?;
        Ok(mail
            .map(|mail| (mail.due_at, mail.last_error) = (due_at.trunc_subsecs(6), Some(error.to_owned())))
            .is_some())
    }

    fn mark_dead(&mut self, id: MailId, tries: u32, at: DateTime<Utc>, error: &str) -> Result<bool, StoreError> {
        let mail = self.at_try(id, tries)?;
        Ok(mail
            .map(|mail| (mail.dead_at, mail.last_error) = (Some(at.trunc_subsecs(6)), Some(error.to_owned())))
            .is_some())
    }

    fn retry(&mut self, id: MailId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let now = now.trunc_subsecs(6);
        let mail = self.writable()?.mails.get_mut(&id);
        Ok(mail
            .map(|mail| {
                (mail.due_at, mail.mail.created_at, mail.tries, mail.token_issued) = (now, now, 0, false);
                (mail.dead_at, mail.last_error) = (None, None);
            })
            .is_some())
    }

    fn list(&mut self, after: Option<MailId>, limit: u32) -> Result<Vec<QueuedMail>, StoreError> {
        let beyond = (after.map_or(Unbounded, Excluded), Unbounded);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.state.mails.range(beyond).map(|(_, mail)| mail.clone()).take(limit).collect())
    }

    fn count(&mut self, limit: u32) -> Result<OutboxCounts, StoreError> {
        let dead = self.state.mails.values().filter(|mail| mail.dead_at.is_some()).count();
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX).min(u64::from(limit));
        Ok(OutboxCounts { waiting: count(self.state.mails.len() - dead), dead: count(dead) })
    }

    fn count_by_occasion(&mut self, limit: u32) -> Result<Vec<(Occasion, u64)>, StoreError> {
        let mut counts: Vec<(Occasion, u64)> = Vec::new();
        let waiting = self.state.mails.values().filter(|mail| mail.dead_at.is_none()).map(|mail| mail.mail.occasion);
        for occasion in waiting.zip(0..limit).map(|(occasion, _)| occasion) {
            match counts.iter_mut().find(|(known, _)| *known == occasion) {
                Some((_, count)) => *count += 1,
                None => counts.push((occasion, 1)),
            }
        }
        Ok(counts)
    }

    fn delete_for_user(&mut self, user_id: UserId) -> Result<(), StoreError> {
        self.writable()?.mails.retain(|_, mail| mail.mail.user_id != Some(user_id));
        Ok(())
    }

    fn purge(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let mails = &mut self.writable()?.mails;
        let dead = mails.values().filter(|mail| mail.dead_at.is_some_and(|at| at <= cutoff)).map(|mail| mail.id);
        let dead: Vec<_> = dead.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
        dead.iter().for_each(|id| drop(mails.remove(id)));
        Ok(u64::try_from(dead.len()).unwrap_or(u64::MAX))
    }
}
