//! Database settings: URL, connections, migration at the start and purge interval. The database adapter
//! parses the URL.

use super::setting::{Number, Setting, SettingsError};
use super::sources::Sources;
use super::warning::Warning;
use portcullis_diesel::DatabaseUrl;
use std::num::NonZeroU32;
use std::time::Duration;

const DATABASE_URL: Setting = Setting::new(
    "DATABASE_URL",
    Some("sqlite:///./app.db"),
    "sqlite:///relative/path, sqlite:////absolute/path, postgresql://user:password@host:port/name",
)
.shown_by(masked);
const AUTO_MIGRATE: Setting = Setting::switch("AUTO_MIGRATE", "true");

const PURGE_INTERVAL: Number<u64> = Setting::number(
    "PURGE_INTERVAL_MINUTES",
    Some("60"),
    0..=10_080,
    "a whole number of minutes from 1 to 10080, or 0 for never",
);

const CONNECTIONS: Number<u32> =
    Setting::number("DATABASE_CONNECTIONS", Some("16"), 1..=1000, "a whole number from 1 to 1000");

const IN_THE_CLEAR: &str = "DATABASE_URL names another host without sslmode: passwords and hashes are sent \
    unencrypted if the server offers no TLS";
const CHOOSE_TLS: &str = "add sslmode=verify-full with sslrootcert, or choose another sslmode explicitly";

pub(super) const SETTINGS: [Setting; 4] = [DATABASE_URL, CONNECTIONS.setting, AUTO_MIGRATE, PURGE_INTERVAL.setting];

/// Settings of the database.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: DatabaseUrl,
    /// Maximum number of connections to a PostgreSQL server.
    pub(crate) connections: NonZeroU32,
    /// True if `serve` migrates at its start. Otherwise it does not start with an old schema.
    pub(crate) auto_migrate: bool,
    /// Interval between purges in `serve`. `None`: never.
    pub(crate) purge_interval: Option<Duration>,
}

impl Database {
    pub(super) fn read(sources: &Sources, warnings: &mut Vec<Warning>) -> Result<Self, SettingsError> {
        let url = sources.required(&DATABASE_URL, DatabaseUrl::parse)?;
        if matches!(&url, DatabaseUrl::Postgres(url) if url.may_be_in_the_clear()) {
            warnings.push(Warning::new(IN_THE_CLEAR, CHOOSE_TLS));
        }
        let minutes = sources.number(&PURGE_INTERVAL)?;
        Ok(Self {
            url,
            connections: NonZeroU32::new(sources.number(&CONNECTIONS)?).unwrap_or(NonZeroU32::MIN),
            auto_migrate: sources.switch(&AUTO_MIGRATE)?,
            purge_interval: (minutes > 0).then(|| Duration::from_mins(minutes)),
        })
    }
}

/// Returns the URL with its passwords masked. Hides an invalid URL completely, because a password may be
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

/// Returns the user part with the password masked, and the rest. As in SQLAlchemy, a password may contain
/// anything except an @-sign.
fn without_password(rest: &str) -> (String, &str) {
    match rest.split_once('@') {
        None => (String::new(), rest),
        Some((user, place)) => match user.split_once(':') {
            // This @-sign is in the path or the query.
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
    fn a_database_elsewhere_without_sslmode_is_warned_of() {
        let warned = |url: &str| {
            let mut warnings = Vec::new();
            Database::read(&Sources::of(&[("DATABASE_URL", url)]), &mut warnings).unwrap();
            warnings.iter().map(ToString::to_string).collect::<String>()
        };
        let warning = warned("postgres://u:marker@db/app");
        assert!(warning.starts_with("DATABASE_URL names another host without sslmode"), "{warning}");
        assert!(warning.contains("add sslmode=verify-full") && !warning.contains("marker"), "{warning}");
        for url in ["postgres://db/app?sslmode=disable", "postgres://localhost/app", "sqlite:///app.db"] {
            assert_eq!(warned(url), "", "{url}");
        }
    }

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
