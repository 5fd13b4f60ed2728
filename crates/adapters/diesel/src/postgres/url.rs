//! The URL of a PostgreSQL server: checked at the start, since a mistake in it would pass for a
//! server that is down, and completed with the limits of a connection.

use crate::database::DatabaseUrlError;
use std::fmt;

/// Added unless the URL has them: bounds on reaching a server, and on noticing that it is gone.
const DEFAULTS: [(&str, &str); 7] = [
    ("connect_timeout", "3"),
    ("keepalives", "1"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "4000"),
    ("application_name", "portcullis"),
];
/// What libpq understands.
const PARAMETERS: &str = " host hostaddr port dbname user password passfile require_auth channel_binding \
    connect_timeout client_encoding options application_name fallback_application_name keepalives keepalives_idle \
    keepalives_interval keepalives_count tcp_user_timeout gssencmode sslmode sslnegotiation sslcompression sslcert \
    sslkey sslpassword sslcertmode sslrootcert sslcrl sslcrldir sslsni requirepeer ssl_min_protocol_version \
    ssl_max_protocol_version min_protocol_version max_protocol_version krbsrvname gsslib gssdelegation service \
    target_session_attrs load_balance_hosts ssl ";
const SSL_MODES: &str = " disable allow prefer require verify-ca verify-full ";

/// The URL of a PostgreSQL server. Its `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// User and password, percent-encoded, with the @-sign.
    user: String,
    /// Hosts, ports and database.
    place: String,
    parameters: Vec<(String, String)>,
}

impl PostgresUrl {
    /// Reads what follows the scheme.
    pub(crate) fn parse(rest: &str) -> Result<Self, DatabaseUrlError> {
        let (user, rest) = split_user(rest);
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let parameters: Vec<_> =
            query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect::<Result<_, _>>()?;
        check_place(place)?;
        if ![user.as_str(), place, query].into_iter().all(is_percent_encoded) {
            return Err(DatabaseUrlError("a %-sign is not followed by two hex digits of a byte"));
        }
        Ok(Self { user, place: place.to_owned(), parameters })
    }

    /// The URL that libpq gets.
    pub(super) fn for_libpq(&self) -> String {
        let mut parameters: Vec<_> = self.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let unset = DEFAULTS.into_iter().filter(|(name, _)| self.parameter(name).is_none());
        parameters.extend(unset.map(|(name, value)| format!("{name}={value}")));
        // Of several servers the one that takes writes is meant: failover.
        if self.place.contains(',') && self.parameter("target_session_attrs").is_none() {
            parameters.push("target_session_attrs=read-write".to_owned());
        }
        format!("postgresql://{}{}?{}", self.user, self.place, parameters.join("&"))
    }

    /// Whether the URL's `options` name a server setting.
    pub(super) fn sets_option(&self, name: &str) -> bool {
        self.parameter("options").is_some_and(|options| options.contains(name))
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresUrl(…)")
    }
}

/// Divides off the user's part as SQLAlchemy does: in it a password may hold anything but an
/// @-sign, and libpq wants more of that encoded.
fn split_user(rest: &str) -> (String, &str) {
    match rest.split_once('@') {
        Some((user, place)) if !user.split(':').next().unwrap_or_default().contains(['/', '?']) => {
            let encoded: String = user.bytes().map(encode).collect();
            (format!("{encoded}@"), place)
        }
        _ => (String::new(), rest),
    }
}

fn encode(byte: u8) -> String {
    let plain = byte.is_ascii_alphanumeric() || b"-._~:%!$&'()*+,;=".contains(&byte);
    if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

fn pair(pair: &str) -> Result<(String, String), DatabaseUrlError> {
    let (name, value) = pair.split_once('=').ok_or(DatabaseUrlError("an option has no value"))?;
    if !PARAMETERS.contains(&format!(" {name} ")) {
        return Err(DatabaseUrlError("it has an option that PostgreSQL's client library does not know"));
    }
    if name == "sslmode" && !SSL_MODES.contains(&format!(" {value} ")) {
        return Err(DatabaseUrlError("sslmode is disable, allow, prefer, require, verify-ca or verify-full"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Hosts with ports, divided by commas, then maybe a slash and a database.
fn check_place(place: &str) -> Result<(), DatabaseUrlError> {
    let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
    if place.contains(['@', '#', ' ']) || database.contains('/') {
        return Err(DatabaseUrlError("special characters in user, password or database must be percent-encoded"));
    }
    let port = |host: &str| match host.rsplit_once(']') {
        Some((_, after)) => after.strip_prefix(':').unwrap_or_default().to_owned(),
        None => host.split_once(':').map_or(String::new(), |(_, port)| port.to_owned()),
    };
    let is_port = |port: String| port.is_empty() || port.parse::<u16>().is_ok_and(|port| port > 0);
    if !hosts.split(',').map(port).all(is_port) {
        return Err(DatabaseUrlError("the port is not a number between 1 and 65535"));
    }
    Ok(())
}

fn is_percent_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        digits.is_some_and(|digits| digits != "00")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DatabaseUrl;

    fn libpq(url: &str) -> Option<String> {
        match DatabaseUrl::parse(url) {
            Ok(DatabaseUrl::Postgres(url)) => Some(url.for_libpq()),
            _ => None,
        }
    }

    #[test]
    fn limits_are_added_and_the_urls_own_are_kept() {
        let url = libpq("postgresql+psycopg2://ada:pw@db.example:5433/app?sslmode=require&connect_timeout=9").unwrap();
        assert!(
            url.starts_with("postgresql://ada:pw@db.example:5433/app?sslmode=require&connect_timeout=9&keepalives=1&")
        );
        assert!(url.contains("tcp_user_timeout=4000") && !url.contains("connect_timeout=3"));
        assert!(libpq("postgres://a,b/app").unwrap().ends_with("&target_session_attrs=read-write"));
        for url in ["postgres://", "postgres:///app?host=/run/pg", "postgres://[::1]:5432/app", "postgres://u@h"] {
            assert!(libpq(url).is_some(), "{url}");
        }
    }

    #[test]
    fn a_password_may_hold_what_sqlalchemy_lets_it() {
        let url = libpq("postgresql://u:p/w?d#é@db/app").unwrap();
        assert!(url.starts_with("postgresql://u:p%2Fw%3Fd%23%C3%A9@db/app?"), "{url}");
        assert!(libpq("postgresql://u:a%40b@db/app").unwrap().starts_with("postgresql://u:a%40b@db/app?"));
    }

    #[test]
    fn mistakes_are_told_without_the_text() {
        for url in [
            "postgres://u:se@cret@h/db",
            "postgres://h:secret/db",
            "postgres://h:0/db",
            "postgres://h/db/secret",
            "postgres://u:50%secret@h/db",
            "postgres://u:%00secret@h/db",
            "postgres://h/db?secret=1",
            "postgres://h/db?sslmode=secret",
            "postgres://h/db?secret",
            "postgres://h/\u{7}secret",
        ] {
            let error = DatabaseUrl::parse(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(!format!("{:?}", DatabaseUrl::parse("postgres://u:secret@h/db")).contains("secret"));
    }

    #[test]
    fn options_of_the_url_are_seen() {
        let url = PostgresUrl::parse("h/db?options=-c%20lock_timeout%3D100ms").unwrap();
        assert!(url.sets_option("lock_timeout") && !url.sets_option("statement_timeout"));
    }
}
