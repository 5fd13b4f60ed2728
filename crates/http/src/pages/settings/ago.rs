//! How long ago something happened, in the largest unit that fits. The pages know no time zone.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// A time before now. The texts have one for each unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Ago {
    unit: &'static str,
    count: String,
}

impl Ago {
    /// Returns the time between two times. A time in the future counts as now.
    pub(super) fn new(then: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        const UNITS: [(i64, &str, &str); 5] = [
            (365 * 24 * 60, "year", "years"),
            (30 * 24 * 60, "month", "months"),
            (24 * 60, "day", "days"),
            (60, "hour", "hours"),
            (1, "minute", "minutes"),
        ];
        let minutes = now.signed_duration_since(then).num_minutes();
        let fits = UNITS.iter().find(|(length, ..)| minutes >= *length);
        let (unit, count) = fits.map_or(("now", 0), |(length, one, more)| match minutes / length {
            1 => (*one, 1),
            count => (*more, count),
        });
        Self { unit, count: count.to_string() }
    }

    /// Returns a time in each unit, for samples.
    pub(super) fn samples() -> impl Iterator<Item = Self> {
        let units = ["now", "minute", "minutes", "hour", "hours", "day", "days", "month", "months", "year", "years"];
        units.into_iter().cycle().map(|unit| Self { unit, count: "7".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_time_has_the_largest_unit_that_fits() {
        const DAY: i64 = 24 * 60 * 60;
        let now = DateTime::<Utc>::UNIX_EPOCH;
        for (seconds, unit, count) in [
            (-5, "now", 0),
            (59, "now", 0),
            (60, "minute", 1),
            (3_599, "minutes", 59),
            (3_600, "hour", 1),
            (DAY - 1, "hours", 23),
            (DAY, "day", 1),
            (30 * DAY - 1, "days", 29),
            (30 * DAY, "month", 1),
            (364 * DAY, "months", 12),
            (365 * DAY, "year", 1),
            (800 * DAY, "years", 2),
        ] {
            let ago = Ago::new(now - TimeDelta::seconds(seconds), now);
            assert_eq!(ago, Ago { unit, count: count.to_string() }, "{seconds}");
        }
    }
}
