//! Row types for emails.

use crate::schema::outbox;
use crate::sessions::{OriginRow, columns};
use crate::stored::{RowRef, Stored};
use crate::time::DbTimestamp;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use portcullis_domain::mail::{Language, NewMail, Occasion};
use portcullis_domain::registration::{EmailAddress, UserId};
use portcullis_domain::verification::{PasswordVersion, TokenSeed};
use portcullis_ports::{MailId, QueuedMail, StoreError};

/// Maximum length of a stored error, in characters.
const MAX_CHARS: usize = 500;

/// Row of an email. The fields have the order of the columns.
#[derive(Queryable, Selectable)]
#[diesel(table_name = outbox)]
pub(super) struct MailRow {
    pub(super) id: i64,
    occasion: Stored<String>,
    user_id: Option<Stored<i64>>,
    email: Stored<String>,
    language: Stored<String>,
    seed: Stored<Vec<u8>>,
    ip_address: Option<Stored<String>>,
    user_agent: Option<Stored<String>>,
    created_at: Stored<DateTime<Utc>>,
    due_at: Stored<DateTime<Utc>>,
    tries: Stored<i64>,
    armed: Stored<bool>,
    dead_at: Option<Stored<DateTime<Utc>>>,
    last_error: Option<Stored<String>>,
    password_version: Option<Stored<Vec<u8>>>,
}

impl MailRow {
    /// Returns the number of attempts, or `None` if it is unreadable.
    pub(super) fn number_of_tries(&self) -> Option<i64> {
        self.tries.get().copied()
    }
}

impl TryFrom<MailRow> for QueuedMail {
    type Error = StoreError;

    fn try_from(row: MailRow) -> Result<Self, StoreError> {
        let at = RowRef { table: "outbox", id: row.id };
        let occasion = Occasion::parse(&at.read("occasion", row.occasion)?);
        let language = Language::parse(&at.read("language", row.language)?);
        let order = NewMail {
            occasion: occasion.ok_or_else(|| at.corrupt("occasion", "not an occasion"))?,
            user_id: row.user_id.map(|id| at.read("user_id", id)).transpose()?.map(UserId::new),
            to: EmailAddress::from_stored(at.read("email", row.email)?),
            language: language.ok_or_else(|| at.corrupt("language", "not a language"))?,
            seed: TokenSeed::from_random(at.code("seed", row.seed)?),
            password: row
                .password_version
                .map(|version| at.code("password_version", version))
                .transpose()?
                .map(PasswordVersion::new),
            client: OriginRow { ip_address: row.ip_address, user_agent: row.user_agent }.read(at)?,
            created_at: at.read("created_at", row.created_at)?,
        };
        let tries = at.read("tries", row.tries)?;
        Ok(Self {
            id: MailId(row.id),
            mail: order,
            tries: tries.try_into().map_err(|_| at.corrupt("tries", "out of range"))?,
            token_issued: at.read("armed", row.armed)?,
            due_at: at.read("due_at", row.due_at)?,
            dead_at: row.dead_at.map(|time| at.read("dead_at", time)).transpose()?,
            last_error: row.last_error.map(|text| at.read("last_error", text)).transpose()?,
        })
    }
}

/// Row of a new email, due at once.
#[derive(Insertable)]
#[diesel(table_name = outbox, treat_none_as_default_value = false)]
pub(super) struct NewMailRow<'a> {
    occasion: &'static str,
    user_id: Option<i64>,
    email: &'a str,
    language: &'static str,
    seed: &'a [u8],
    password_version: Option<&'a [u8]>,
    ip_address: Option<String>,
    user_agent: Option<String>,
    created_at: DbTimestamp,
    due_at: DbTimestamp,
}

impl<'a> NewMailRow<'a> {
    pub(super) fn of(mail: &'a NewMail) -> Self {
        let (ip_address, user_agent) = columns(&mail.client);
        let created_at = DbTimestamp::new(mail.created_at);
        Self {
            occasion: mail.occasion.as_str(),
            user_id: mail.user_id.map(UserId::get),
            email: mail.to.original(),
            language: mail.language.tag(),
            seed: mail.seed.as_bytes(),
            password_version: mail.password.as_ref().map(|version| version.as_bytes().as_slice()),
            ip_address,
            user_agent,
            created_at,
            due_at: created_at,
        }
    }
}

/// Returns an error as one line of limited length. A mail server's reply may contain anything, and
/// PostgreSQL does not accept NUL.
pub(super) fn one_line(error: &str) -> String {
    error.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_CHARS).collect()
}
