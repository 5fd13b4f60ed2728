//! One column type for times: text on SQLite, as SQLAlchemy spells it, and `timestamptz` on
//! PostgreSQL. Both hold UTC to the microsecond.

use chrono::{DateTime, Datelike, NaiveDateTime, SubsecRound, Utc};
use diesel::deserialize::{self, FromSql};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{SqlType, Timestamptz};
use diesel::sqlite::Sqlite;

/// The SQL type of every time.
#[derive(SqlType, diesel::query_builder::QueryId)]
#[diesel(sqlite_type(name = "Text"), postgres_type(oid = 1184, array_oid = 1185))]
pub struct UtcTime;

/// A time on its way into the database.
#[derive(Debug, Clone, Copy, AsExpression)]
#[diesel(sql_type = UtcTime)]
pub(crate) struct Moment(DateTime<Utc>);

impl Moment {
    pub(crate) fn new(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(6))
    }
}

/// Always with six digits of the second, so that comparing the text compares the time.
const SPELLING: &str = "%Y-%m-%d %H:%M:%S%.6f";

impl ToSql<UtcTime, Sqlite> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        if !(0..=9999).contains(&self.0.year()) {
            return Err("a year outside 0 to 9999".into());
        }
        out.set_value(self.0.format(SPELLING).to_string());
        Ok(IsNull::No)
    }
}

impl ToSql<UtcTime, Pg> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamptz, Pg>::to_sql(&self.0, out)
    }
}

impl FromSql<UtcTime, Pg> for DateTime<Utc> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<Timestamptz, Pg>::from_sql(value)
    }
}

/// Reads SQLAlchemy's spelling, which has no zone, and a fraction or none.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let shape = (19..=26).contains(&text.len()) && text.as_bytes().get(4) == Some(&b'-');
    let time = shape.then(|| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))?;
    time.ok().map(|time| time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn both_spellings_are_read() {
        let whole = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_356_283);
        assert_eq!(parse("2026-11-22 14:04:43"), Some(whole));
        assert_eq!(parse("2026-11-22 14:04:43.905380"), Some(whole + TimeDelta::microseconds(905_380)));
        assert_eq!(parse("2026-11-22 14:04:43.5"), Some(whole + TimeDelta::milliseconds(500)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "never",
            "2026-11-22",
            "2026-13-22 14:04:43",
            "2026-11-22T14:04:43",
            "2026-11-22 14:04:43+02:00",
            "2026-11-22 14:04:43.1234567",
            "+2026-11-22 14:04:43",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_order_of_the_text_is_the_order_of_the_times() {
        let times = [0, 1, 999_999, 1_000_000, 1_795_356_283_905_380, 4_948_956_284_000_000];
        let spell = |micros| (DateTime::UNIX_EPOCH + TimeDelta::microseconds(micros)).format(SPELLING).to_string();
        let spelled: Vec<_> = times.map(spell).into();
        assert!(spelled.is_sorted(), "{spelled:?}");
        assert!(spelled.iter().zip(times).all(|(text, micros)| parse(text).unwrap().timestamp_micros() == micros));
    }
}
