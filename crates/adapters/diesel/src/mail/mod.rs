//! Outbox of emails, as rows of `outbox`. One statement claims an email. The sender records the outcome
//! by compare-and-set on the number of attempts, so exactly one sender succeeds on both databases.

mod rows;
mod statements;

use crate::expiry::{DeadMails, DeleteOldest};
use crate::schema::outbox;
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use portcullis_domain::mail::NewMail;
use portcullis_domain::registration::UserId;
use portcullis_domain::verification::PasswordVersion;
use portcullis_ports::{MailId, OutboxCounts, OutboxRepository, QueuedMail, StoreError};
use rows::{MailRow, NewMailRow, one_line};
use statements::{ClaimNext, CountOutbox};

/// Attempt at which an unreadable email becomes dead. Until then it is postponed: a newer release
/// running alongside may have queued it and can read it.
const MAX_UNREAD: i64 = 40;
/// Maximum number of unreadable emails that one call skips.
const MAX_SKIPPED: u8 = 100;

fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or_default()
}

macro_rules! outbox_repository {
    ($connection:ty) => {
        impl OutboxRepository for Transaction<'_, $connection> {
            fn enqueue(&mut self, mail: &NewMail) -> Result<(), StoreError> {
                let row = NewMailRow::of(mail);
                let added = diesel::insert_into(outbox::table).values(row).execute(self.write_connection()?);
                self.check(added).map(drop)
            }

            fn claim_next(&mut self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Option<QueuedMail>, StoreError> {
                for _ in 0..MAX_SKIPPED {
                    let taken = ClaimNext::new(now, until).get_result::<MailRow>(self.write_connection()?).optional();
                    let Some(row) = self.check(taken)? else { break };
                    let (id, tries) = (row.id, row.number_of_tries());
                    match QueuedMail::try_from(row) {
                        Ok(mail) => return Ok(Some(mail)),
                        Err(damage) => self.put_off(id, tries, now, &damage)?,
                    }
                }
                Ok(None)
            }

            fn mark_token_issued(&mut self, id: MailId) -> Result<(), StoreError> {
                let update = diesel::update(outbox::table.find(id.0)).set(outbox::armed.eq(true));
                let armed = update.execute(self.write_connection()?);
                self.check(armed).map(drop)
            }

            fn rebind(&mut self, old: &PasswordVersion, new: &PasswordVersion) -> Result<(), StoreError> {
                let version = |version: &PasswordVersion| Some(version.as_bytes().to_vec());
                let bound = outbox::table.filter(outbox::password_version.eq(version(old)));
                let update = diesel::update(bound).set(outbox::password_version.eq(version(new)));
                let rebound = update.execute(self.write_connection()?);
                self.check(rebound).map(drop)
            }

            fn remove(&mut self, id: MailId, tries: u32) -> Result<bool, StoreError> {
                let removed = diesel::delete(at_try!(id, tries)).execute(self.write_connection()?);
                Ok(self.check(removed)? == 1)
            }

            fn postpone(
                &mut self,
                id: MailId,
                tries: u32,
                due_at: DateTime<Utc>,
                error: &str,
            ) -> Result<bool, StoreError> {
                let values = (outbox::due_at.eq(DbTimestamp::new(due_at)), outbox::last_error.eq(one_line(error)));
                let postponed = diesel::update(at_try!(id, tries)).set(values).execute(self.write_connection()?);
                Ok(self.check(postponed)? == 1)
            }

            fn mark_dead(&mut self, id: MailId, tries: u32, at: DateTime<Utc>, error: &str) -> Result<bool, StoreError> {
                let values = (outbox::dead_at.eq(DbTimestamp::new(at)), outbox::last_error.eq(one_line(error)));
                let buried = diesel::update(at_try!(id, tries)).set(values).execute(self.write_connection()?);
                Ok(self.check(buried)? == 1)
            }

            fn retry(&mut self, id: MailId, now: DateTime<Utc>) -> Result<bool, StoreError> {
                let (now, never) = (DbTimestamp::new(now), None::<DbTimestamp>);
                let values = (
                    outbox::created_at.eq(now),
                    outbox::due_at.eq(now),
                    outbox::tries.eq(0),
                    outbox::armed.eq(false),
                    outbox::dead_at.eq(never),
                    outbox::last_error.eq(None::<String>),
                );
                let revived = diesel::update(outbox::table.find(id.0)).set(values).execute(self.write_connection()?);
                Ok(self.check(revived)? == 1)
            }

            fn list(&mut self, after: Option<MailId>, limit: u32) -> Result<Vec<QueuedMail>, StoreError> {
                let beyond = outbox::table.filter(outbox::id.gt(after.map_or(i64::MIN, |id| id.0)));
                let query = beyond.order(outbox::id).limit(i64::from(limit)).select(MailRow::as_select());
                let rows = query.load(self.connection);
                self.check(rows)?.into_iter().map(QueuedMail::try_from).collect()
            }

            fn count(&mut self, limit: u32) -> Result<OutboxCounts, StoreError> {
                let counted = CountOutbox::new(limit).get_result::<(i64, i64)>(self.connection);
                let (waiting, dead) = self.check(counted)?;
                Ok(OutboxCounts { waiting: count(waiting), dead: count(dead) })
            }

            fn delete_for_user(&mut self, user_id: UserId) -> Result<(), StoreError> {
                let own = outbox::table.filter(outbox::user_id.eq(user_id.get()));
                let removed = diesel::delete(own).execute(self.write_connection()?);
                self.check(removed).map(drop)
            }

            fn purge(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
                self.write_connection()?;
                let delete = DeleteOldest::<DeadMails>::new(cutoff, limit);
                let deleted = self.in_background(|connection| delete.execute(connection))?;
                Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
            }
        }

        impl Transaction<'_, $connection> {
            /// Leaves an unreadable email claimed until its lease ends, or marks it dead after
            /// [`MAX_UNREAD`] attempts.
            fn put_off(
                &mut self,
                id: i64,
                tries: Option<i64>,
                now: DateTime<Utc>,
                damage: &StoreError,
            ) -> Result<(), StoreError> {
                if tries.is_some_and(|tries| tries < MAX_UNREAD) {
                    tracing::warn!(target: "app.mail", mail = id, %damage, "Mail is unreadable and was put off");
                    return Ok(());
                }
                tracing::error!(target: "app.mail", mail = id, %damage, "Mail is unreadable and was given up");
                let values =
                    (outbox::dead_at.eq(DbTimestamp::new(now)), outbox::last_error.eq(one_line(&damage.to_string())));
                let buried = diesel::update(outbox::table.find(id)).set(values).execute(self.write_connection()?);
                self.check(buried).map(drop)
            }
        }
    };
}

/// Selects the email with this id, unless it is dead or its number of attempts has changed.
macro_rules! at_try {
    ($id:expr, $tries:expr) => {
        outbox::table.find($id.0).filter(outbox::tries.eq(i64::from($tries))).filter(outbox::dead_at.is_null())
    };
}

outbox_repository!(SqliteConnection);
outbox_repository!(PgConnection);
