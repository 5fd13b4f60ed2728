//! Column type for times: text in SQLAlchemy's format on SQLite, `timestamptz` on PostgreSQL. Both store
//! UTC with microsecond precision.

use chrono::{DateTime, Datelike, NaiveDate, SubsecRound, Timelike, Utc};
use diesel::deserialize::{self, FromSql};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{SqlType, Timestamptz};
use diesel::sqlite::Sqlite;

/// SQL type of all time columns.
#[derive(SqlType, diesel::query_builder::QueryId)]
#[diesel(sqlite_type(name = "Text"), postgres_type(oid = 1184, array_oid = 1185))]
pub struct UtcTime;

/// Time to be written to the database.
#[derive(Debug, Clone, Copy, AsExpression)]
#[diesel(sql_type = UtcTime)]
pub(crate) struct DbTimestamp(DateTime<Utc>);

impl DbTimestamp {
    pub(crate) fn new(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(6))
    }
}

/// Formats a time with exactly six fractional digits, so that texts compare like times. Written by hand
/// because every write formats several times and `format!` takes six times as long.
fn format(time: DateTime<Utc>) -> String {
    let mut text = String::with_capacity(26);
    let mut write = |number: u32, digits: u32, end: &str| {
        let digit = |place: u32| char::from_digit(number / 10_u32.pow(place) % 10, 10);
        text.extend((0..digits).rev().filter_map(digit));
        text.push_str(end);
    };
    write(time.year().unsigned_abs(), 4, "-");
    write(time.month(), 2, "-");
    write(time.day(), 2, " ");
    write(time.hour(), 2, ":");
    write(time.minute(), 2, ":");
    write(time.second(), 2, ".");
    write(time.timestamp_subsec_micros(), 6, "");
    text
}

impl ToSql<UtcTime, Sqlite> for DbTimestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        if !(0..=9999).contains(&self.0.year()) {
            return Err("a year outside 0 to 9999".into());
        }
        out.set_value(format(self.0));
        Ok(IsNull::No)
    }
}

impl ToSql<UtcTime, Pg> for DbTimestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamptz, Pg>::to_sql(&self.0, out)
    }
}

impl FromSql<UtcTime, Pg> for DateTime<Utc> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<Timestamptz, Pg>::from_sql(value)
    }
}

/// Parses SQLAlchemy's format, which has no time zone and an optional fraction.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let (whole, fraction) = text.split_at_checked(19)?;
    let whole = whole.as_bytes();
    let separators = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, separator)| whole.get(*at) != Some(separator)) {
        return None;
    }
    let part = |at: usize, digits: usize| number(whole.get(at..at + digits)?);
    let date = NaiveDate::from_ymd_opt(i32::try_from(part(0, 4)?).ok()?, part(5, 2)?, part(8, 2)?)?;
    let time = date.and_hms_micro_opt(part(11, 2)?, part(14, 2)?, part(17, 2)?, micros(fraction)?)?;
    Some(time.and_utc())
}

/// Parses an optional fraction of a second, including the point, as microseconds.
fn micros(fraction: &str) -> Option<u32> {
    if fraction.is_empty() {
        return Some(0);
    }
    let digits = fraction.strip_prefix('.').filter(|digits| (1..=6).contains(&digits.len()))?;
    let missing = u32::try_from(6 - digits.len()).ok()?;
    number(digits.as_bytes())?.checked_mul(10_u32.pow(missing))
}

/// Parses a number of at most six digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        Some(number * 10 + digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{NaiveDateTime, TimeDelta};
    use proptest::prelude::*;

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
            "2026-11-22 14:04:43.",
            "2026-11-22 14:04:43,5",
            "2026-11-22 14:04:60",
            "2026-02-29 14:04:43",
            "2026-11-22 14:04:4é",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_order_of_the_text_is_the_order_of_the_times() {
        let times = [0, 1, 999_999, 1_000_000, 1_795_356_283_905_380, 4_948_956_284_000_000];
        let spell = |micros| format(DateTime::UNIX_EPOCH + TimeDelta::microseconds(micros));
        let spelled: Vec<_> = times.map(spell).into();
        assert!(spelled.is_sorted(), "{spelled:?}");
        assert!(spelled.iter().zip(times).all(|(text, micros)| parse(text).unwrap().timestamp_micros() == micros));
    }

    proptest! {
        #[test]
        fn chrono_reads_and_writes_the_same(micros in -62_167_219_200_000_000_i64..253_402_300_800_000_000) {
            let time = DateTime::UNIX_EPOCH + TimeDelta::microseconds(micros);
            prop_assert_eq!(format(time), time.format("%Y-%m-%d %H:%M:%S%.6f").to_string());
            prop_assert_eq!(parse(&format(time)), Some(time));
        }

        #[test]
        fn what_is_read_chrono_reads_alike(text in "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?") {
            if let Some(time) = parse(&text) {
                let by_chrono = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f");
                prop_assert_eq!(by_chrono.map(|time| time.and_utc()), Ok(time));
            }
        }
    }
}
