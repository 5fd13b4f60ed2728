//! The section on the database: where it is, whether `serve` migrates it, and how often it purges. What a URL means is
//! left to the adapter that opens it.

use super::setting::{Setting, SettingsError};
use super::sources::Sources;
use super::value::{self, SWITCH};
use portcullis_diesel::DatabaseUrl;
use std::time::Duration;

const DATABASE_URL: Setting = Setting {
    name: "DATABASE_URL",
    default: Some("sqlite:///./app.db"),
    accepted: "sqlite:///relative/path, sqlite:////absolute/path, postgresql://user:password@host:port/name",
    shown: masked,
};
const AUTO_MIGRATE: Setting =
    Setting { name: "AUTO_MIGRATE", default: Some("true"), accepted: SWITCH, shown: str::to_owned };

const PURGE_INTERVAL: Setting = Setting {
    name: "PURGE_INTERVAL_MINUTES",
    default: Some("60"),
    accepted: "a whole number of minutes from 1 to 10080, or 0 for never",
    shown: str::to_owned,
};

pub(super) const SETTINGS: [Setting; 3] = [DATABASE_URL, AUTO_MIGRATE, PURGE_INTERVAL];

/// Where the accounts and tokens are kept.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: DatabaseUrl,
    /// Whether `serve` migrates at its start; it refuses an old schema otherwise.
    pub(crate) auto_migrate: bool,
    /// How often `serve` deletes the rows of dead tokens, if ever.
    pub(crate) purge_interval: Option<Duration>,
}

impl Database {
    pub(super) fn read(sources: &Sources) -> Result<Self, SettingsError> {
        let url = sources.required(&DATABASE_URL, |text| Ok(DatabaseUrl::parse(text)))?;
        Ok(Self {
            // The adapter's error holds none of the text.
            url: url.map_err(|error| DATABASE_URL.bad_because(error.to_string()))?,
            auto_migrate: sources.required(&AUTO_MIGRATE, value::switch)?,
            purge_interval: sources
                .required(&PURGE_INTERVAL, value::whole_number(0..=10_080))
                .map(|minutes: u64| (minutes > 0).then(|| Duration::from_secs(60 * minutes)))?,
        })
    }
}

/// The URL with its passwords masked; nothing of one that is not valid, for a password may stand
/// anywhere in it.
fn masked(url: &str) -> String {
    let url = url.trim();
    let unreadable = || "(unreadable)".to_owned();
    let (Ok(read), Some((scheme, rest))) = (DatabaseUrl::parse(url), url.split_once("://")) else {
        return unreadable();
    };
    if matches!(read, DatabaseUrl::Sqlite(_)) {
        return url.to_owned();
    }
    let (user, rest) = without_password(rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let parameters: Vec<_> = query.split('&').map(without_value).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{user}{place}{mark}{}", parameters.join("&"))
}

/// The user's part with the password masked, and the rest. As in SQLAlchemy a password may hold
/// anything but an @-sign.
fn without_password(rest: &str) -> (String, &str) {
    match rest.split_once('@') {
        None => (String::new(), rest),
        Some((user, place)) => match user.split_once(':') {
            // The @-sign is one in the query.
            _ if user.split(':').next().is_some_and(|name| name.contains(['/', '?'])) => (String::new(), rest),
            None => (format!("{user}@"), place),
            Some((name, _)) => (format!("{name}:***@"), place),
        },
    }
}

fn without_value(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name @ ("password" | "sslpassword"), _)) => format!("{name}=***"),
        _ => parameter.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_wherever_they_stand() {
        for (url, shown) in [
            ("postgresql+psycopg2://ada:marker@db/app", "postgresql+psycopg2://ada:***@db/app"),
            ("postgres://ada:m/ar?k:er@db/app", "postgres://ada:***@db/app"),
            ("postgres://ada@db/app", "postgres://ada@db/app"),
            ("postgres:///app?application_name=a%40b", "postgres:///app?application_name=a%40b"),
            (
                "postgres://u:marker@db/app?sslmode=require&password=marker&sslpassword=marker",
                "postgres://u:***@db/app?sslmode=require&password=***&sslpassword=***",
            ),
            ("postgres://u:marker@marker@db/app", "(unreadable)"),
            ("mysql://u:marker@db/app", "(unreadable)"),
            ("sqlite:////srv/app.db", "sqlite:////srv/app.db"),
        ] {
            assert_eq!(masked(url), shown);
        }
    }
}
