//! Outbox of emails, as rows of `outbox`. One statement claims an email. The sender records the outcome
//! by compare-and-set on the number of attempts, so exactly one sender succeeds on both databases.

mod rows;

use crate::engine::{Link, columns_of};
use crate::schema::outbox;
use crate::statement::Statement;
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, Utc};
use diesel::dsl::auto_type;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use portcullis_domain::mail::{NewMail, Occasion};
use portcullis_domain::registration::UserId;
use portcullis_domain::verification::PasswordVersion;
use portcullis_ports::{MailId, OutboxCounts, OutboxRepository, QueuedMail, StoreError};
use rows::{MailRow, NewMailRow, one_line};

/// Attempt at which an unreadable email becomes dead. Until then it is postponed: a newer release
/// running alongside may have queued it and can read it.
const MAX_UNREAD: i64 = 40;
/// Maximum number of unreadable emails that one call skips.
const MAX_SKIPPED: u8 = 100;

fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or_default()
}

/// Selects the email with this id, unless it is dead or its number of attempts has changed.
#[auto_type]
fn at_attempt(id: i64, tries: i64) -> _ {
    outbox::table.find(id).filter(outbox::tries.eq(tries)).filter(outbox::dead_at.is_null())
}

/// Claims the email that has been due for the longest time. On PostgreSQL emails that other transactions
/// have locked are skipped; SQLite has one writer.
fn claim_next(link: &Link<'_>, now: DbTimestamp, until: DbTimestamp) -> Statement<outbox::SqlType> {
    let lock = match link {
        Link::Sqlite(_) => "",
        Link::Postgres(_) => " FOR UPDATE SKIP LOCKED",
    };
    let claim = format!(
        "UPDATE outbox SET tries = tries + 1, due_at = ? WHERE id = (SELECT id FROM outbox WHERE dead_at IS NULL \
         AND due_at <= ? ORDER BY due_at, id LIMIT 1{lock}) RETURNING id, occasion, user_id, email, language, seed, \
         ip_address, user_agent, created_at, due_at, tries, armed, dead_at, last_error, password_version"
    );
    Statement::new(claim, [until.into(), now.into()])
}

impl OutboxRepository for Transaction<'_> {
    fn enqueue(&mut self, mail: &NewMail) -> Result<(), StoreError> {
        self.change(diesel::insert_into(outbox::table).values(NewMailRow::of(mail))).map(drop)
    }

    fn claim_next(&mut self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Option<QueuedMail>, StoreError> {
        for _ in 0..MAX_SKIPPED {
            let claim = claim_next(&self.link, DbTimestamp::new(now), DbTimestamp::new(until));
            let Some(row) = self.change_returning::<MailRow>(claim)?.pop() else { break };
            let (id, tries) = (row.id, row.number_of_tries());
            match QueuedMail::try_from(row) {
                Ok(mail) => return Ok(Some(mail)),
                Err(damage) => self.put_off(id, tries, now, &damage)?,
            }
        }
        Ok(None)
    }

    fn mark_token_issued(&mut self, id: MailId) -> Result<(), StoreError> {
        self.change(diesel::update(outbox::table.find(id.0)).set(outbox::armed.eq(true))).map(drop)
    }

    fn rebind(&mut self, old: &PasswordVersion, new: &PasswordVersion) -> Result<(), StoreError> {
        let version = |version: &PasswordVersion| Some(version.as_bytes().to_vec());
        let bound = outbox::table.filter(outbox::password_version.eq(version(old)));
        self.change(diesel::update(bound).set(outbox::password_version.eq(version(new)))).map(drop)
    }

    fn remove(&mut self, id: MailId, tries: u32) -> Result<bool, StoreError> {
        self.changed_one(diesel::delete(at_attempt(id.0, i64::from(tries))))
    }

    fn postpone(&mut self, id: MailId, tries: u32, due_at: DateTime<Utc>, error: &str) -> Result<bool, StoreError> {
        let values = (outbox::due_at.eq(DbTimestamp::new(due_at)), outbox::last_error.eq(one_line(error)));
        self.changed_one(diesel::update(at_attempt(id.0, i64::from(tries))).set(values))
    }

    fn mark_dead(&mut self, id: MailId, tries: u32, at: DateTime<Utc>, error: &str) -> Result<bool, StoreError> {
        let values = (outbox::dead_at.eq(DbTimestamp::new(at)), outbox::last_error.eq(one_line(error)));
        self.changed_one(diesel::update(at_attempt(id.0, i64::from(tries))).set(values))
    }

    fn retry(&mut self, id: MailId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let now = DbTimestamp::new(now);
        self.changed_one(diesel::update(outbox::table.find(id.0)).set((
            outbox::created_at.eq(now),
            outbox::due_at.eq(now),
            outbox::tries.eq(0),
            outbox::armed.eq(false),
            outbox::dead_at.eq(None::<DbTimestamp>),
            outbox::last_error.eq(None::<String>),
        )))
    }

    fn list(&mut self, after: Option<MailId>, limit: u32) -> Result<Vec<QueuedMail>, StoreError> {
        let beyond = outbox::table.filter(outbox::id.gt(after.map_or(i64::MIN, |id| id.0)));
        let query = beyond.order(outbox::id).limit(i64::from(limit)).select(columns_of::<MailRow>());
        self.load::<MailRow>(query)?.into_iter().map(QueuedMail::try_from).collect()
    }

    fn count(&mut self, limit: u32) -> Result<OutboxCounts, StoreError> {
        let counts = Statement::<(BigInt, BigInt)>::new(
            "SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE dead_at IS NULL LIMIT ?) AS looked_at), \
             (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE dead_at IS NOT NULL LIMIT ?) AS looked_at)",
            [limit.into(), limit.into()],
        );
        let (waiting, dead) = self.one::<(i64, i64)>(counts)?;
        Ok(OutboxCounts { waiting: count(waiting), dead: count(dead) })
    }

    fn count_by_occasion(&mut self, limit: u32) -> Result<Vec<(Occasion, u64)>, StoreError> {
        let counts = Statement::<(Text, BigInt)>::new(
            "SELECT occasion, count(*) FROM (SELECT occasion FROM outbox WHERE dead_at IS NULL LIMIT ?) AS waiting \
             GROUP BY occasion",
            [limit.into()],
        );
        let rows = self.load::<(String, i64)>(counts)?.into_iter();
        Ok(rows.filter_map(|(occasion, rows)| Some((Occasion::parse(&occasion)?, count(rows)))).collect())
    }

    fn delete_for_user(&mut self, user_id: UserId) -> Result<(), StoreError> {
        self.change(diesel::delete(outbox::table.filter(outbox::user_id.eq(user_id.get())))).map(drop)
    }

    fn purge(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        self.purge_oldest("outbox", "dead_at", cutoff, limit)
    }
}

impl Transaction<'_> {
    /// Leaves an unreadable email claimed until its lease ends, or marks it dead after [`MAX_UNREAD`]
    /// attempts.
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
        let last_error = outbox::last_error.eq(one_line(&damage.to_string()));
        let values = (outbox::dead_at.eq(DbTimestamp::new(now)), last_error);
        self.change(diesel::update(outbox::table.find(id)).set(values)).map(drop)
    }
}
