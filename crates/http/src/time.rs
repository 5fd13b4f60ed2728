//! Times in answers.

use chrono::{DateTime, SecondsFormat, Utc};

/// A time as RFC 3339 has it, in UTC.
pub(crate) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
