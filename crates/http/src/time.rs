//! Timestamps in responses.

use chrono::{DateTime, SecondsFormat, Utc};

/// Formats a time in UTC by RFC 3339.
pub(crate) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
