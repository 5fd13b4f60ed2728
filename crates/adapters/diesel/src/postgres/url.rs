//! Parses the URL of a PostgreSQL server and adds connection timeouts. Checked at startup, because a
//! mistake in it would otherwise look like a server that is down.

use crate::error::DatabaseUrlError;
use std::fmt;
use std::net::IpAddr;

/// Parameters to add unless the URL sets them: timeouts for connecting and for noticing a lost server.
const DEFAULTS: [(&str, &str); 7] = [
    ("connect_timeout", "3"),
    ("keepalives", "1"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "4000"),
    ("application_name", "portcullis"),
];
/// Parameters that libpq accepts.
const PARAMETERS: &str = " host hostaddr port dbname user password passfile require_auth channel_binding \
    connect_timeout client_encoding options application_name fallback_application_name keepalives keepalives_idle \
    keepalives_interval keepalives_count tcp_user_timeout gssencmode sslmode sslnegotiation sslcompression sslcert \
    sslkey sslpassword sslcertmode sslrootcert sslcrl sslcrldir sslsni requirepeer ssl_min_protocol_version \
    ssl_max_protocol_version min_protocol_version max_protocol_version krbsrvname gsslib gssdelegation service \
    target_session_attrs load_balance_hosts ";
const SSL_MODES: &str = " disable allow prefer require verify-ca verify-full ";
/// Parameters whose value is a whole number.
const NUMBERS: &str =
    " connect_timeout keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout ";
/// Parameters that name a client certificate, maybe through a service file.
const CERTIFICATES: [&str; 4] = ["sslcert", "sslkey", "sslcertmode", "service"];
/// Parameters whose value may be a name that a message quotes.
const NAMES: &str = " host hostaddr port dbname user password service ";
/// Parameters of other drivers, and advice on what to write instead.
const FOREIGN: [(&str, &str); 4] = [
    ("schema", "schema is another driver's option: write options=-c%20search_path%3D… instead"),
    ("currentSchema", "currentSchema is another driver's option: write options=-c%20search_path%3D… instead"),
    ("search_path", "search_path is another driver's option: write options=-c%20search_path%3D… instead"),
    ("pgbouncer", "pgbouncer is another driver's option: take it out, and have PgBouncer use pool_mode=session"),
];

/// URL of a PostgreSQL server. Its `Debug` output contains none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// User and password, percent-encoded, including the @-sign.
    user: String,
    /// Hosts, ports and database.
    place: String,
    parameters: Vec<(String, String)>,
}

impl PostgresUrl {
    /// Parses the part after the scheme.
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

    /// Returns the URL for libpq.
    pub(super) fn for_libpq(&self) -> String {
        let mut parameters: Vec<_> = self.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let unset = DEFAULTS.into_iter().filter(|(name, _)| self.parameter(name).is_none());
        parameters.extend(unset.map(|(name, value)| format!("{name}={value}")));
        // libpq looks for a client certificate in the home folder, and does without TLS if it may not
        // access it.
        if CERTIFICATES.iter().all(|name| self.parameter(name).is_none()) {
            parameters.push("sslcertmode=disable".to_owned());
        }
        // With several hosts, connect to the one that accepts writes (failover).
        if self.place.contains(',') && self.parameter("target_session_attrs").is_none() {
            parameters.push("target_session_attrs=read-write".to_owned());
        }
        format!("postgresql://{}{}?{}", self.user, self.place, parameters.join("&"))
    }

    /// Returns whether the URL's `options` name this server setting.
    pub(super) fn sets_option(&self, name: &str) -> bool {
        self.parameter("options").is_some_and(|options| options.contains(name))
    }

    /// Returns whether the connection may be unencrypted although the URL does not allow that
    /// explicitly: `sslmode` is missing, so TLS is used only if the server offers it, and at least one
    /// host is not this machine.
    #[must_use]
    pub fn may_be_in_the_clear(&self) -> bool {
        self.parameter("sslmode").is_none() && !self.hosts().iter().all(|host| is_local(host))
    }

    /// Returns whether a text is the name of a parameter or server setting that the URL sets, and
    /// therefore not a secret.
    pub(super) fn is_parameter(&self, text: &str) -> bool {
        let is_name = |names: &str| names.contains(&format!(" {text} "));
        let is_set = is_name(PARAMETERS) && !is_name(NAMES) && self.parameter(text).is_some();
        !text.is_empty() && is_set || self.is_server_setting(text)
    }

    /// Returns whether a connection may lead to one of several hosts.
    pub(super) fn has_several_hosts(&self) -> bool {
        self.hosts().len() > 1
    }

    /// Returns whether a text is one of the hosts, and not also a user or a database.
    pub(super) fn names_host(&self, text: &str) -> bool {
        let user = self.user.split([':', '@']).next().unwrap_or_default();
        let database = self.place.split_once('/').map_or("", |(_, database)| database);
        let others = [user, database, self.parameter("user").unwrap_or_default()];
        !text.is_empty() && self.hosts().iter().any(|host| host == text) && others.iter().all(|it| decoded(it) != text)
    }

    /// Returns whether a text is the name of a server setting that the URL sets.
    pub(super) fn is_server_setting(&self, text: &str) -> bool {
        let options = decoded(self.parameter("options").unwrap_or_default());
        let mut settings = options.split_whitespace().filter_map(|word| {
            let word = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")).unwrap_or(word);
            Some(word.split_once('=')?.0.replace('-', "_"))
        });
        let has_own = ["client_encoding", "application_name"].contains(&text) && self.parameter(text).is_some();
        !text.is_empty() && (has_own || settings.any(|name| name == text))
    }

    /// Returns the hosts by libpq's rules: `hostaddr` overrides `host`, and both override the hosts
    /// before the database name.
    fn hosts(&self) -> Vec<String> {
        let named = ["hostaddr", "host"].iter().find_map(|name| self.parameter(name));
        let hosts = named.unwrap_or_else(|| self.place.split('/').next().unwrap_or_default());
        let without_port = |host: &str| match host.split_once(']') {
            Some((address, _)) => address.trim_start_matches('[').to_owned(),
            None if named.is_some() => host.to_owned(),
            None => host.split(':').next().unwrap_or_default().to_owned(),
        };
        hosts.split(',').map(|host| without_port(&decoded(host))).collect()
    }

    /// Returns a parameter's last value, as libpq uses it. `None` if it is not set.
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresUrl(…)")
    }
}

/// Splits off the user part as SQLAlchemy does: its password may contain anything except an @-sign,
/// while libpq requires more characters to be encoded.
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

/// Returns whether a host is this machine: a loopback name or address, or a Unix socket.
fn is_local(host: &str) -> bool {
    let is_name = host.is_empty() || host == "localhost" || host.ends_with(".localhost");
    is_name || host.starts_with(['/', '@']) || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Decodes percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut parts = text.split('%');
    bytes.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.extend(byte);
        bytes.extend(part.bytes().skip(2));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn pair(pair: &str) -> Result<(String, String), DatabaseUrlError> {
    let (name, value) = pair.split_once('=').ok_or(DatabaseUrlError("an option has no value"))?;
    if let Some((_, advice)) = FOREIGN.iter().find(|(foreign, _)| *foreign == name) {
        return Err(DatabaseUrlError(advice));
    }
    // `ssl` is asyncpg's parameter. Other drivers use it with true and false.
    let (name, value) = match (name, value) {
        ("ssl", "true" | "1" | "on" | "yes") => ("sslmode", "require"),
        ("ssl", "false" | "0" | "off" | "no") => ("sslmode", "disable"),
        ("ssl", mode) => ("sslmode", mode),
        other => other,
    };
    if !PARAMETERS.contains(&format!(" {name} ")) {
        return Err(DatabaseUrlError("it has an option that PostgreSQL's client library does not know"));
    }
    if name == "sslmode" && !SSL_MODES.contains(&format!(" {value} ")) {
        return Err(DatabaseUrlError("sslmode is disable, allow, prefer, require, verify-ca or verify-full"));
    }
    if NUMBERS.contains(&format!(" {name} ")) && value.parse::<i32>().is_err() {
        return Err(DatabaseUrlError("connect_timeout, keepalives and tcp_user_timeout are whole numbers"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Checks hosts with ports, separated by commas, and an optional database after a slash.
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
    fn no_certificate_is_looked_for_that_the_url_does_not_name() {
        let url = "postgres://h/db?sslmode=verify-full&sslrootcert=/ca.pem";
        assert!(libpq(url).unwrap().ends_with("&sslcertmode=disable"));
        for own in ["sslcert=/c.pem&sslkey=/k.pem", "sslcertmode=require", "service=app"] {
            let url = libpq(&format!("postgres://h/db?{own}")).unwrap();
            assert!(!url.contains("sslcertmode=disable"), "{url}");
        }
    }

    #[test]
    fn other_drivers_spellings_of_tls_are_read() {
        for (ssl, mode) in
            [("require", "require"), ("verify-full", "verify-full"), ("true", "require"), ("false", "disable")]
        {
            let url = libpq(&format!("postgresql+asyncpg://h/db?ssl={ssl}")).unwrap();
            assert!(url.starts_with(&format!("postgresql://h/db?sslmode={mode}&")), "{url}");
        }
        for never in ["ssl=maybe", "connect_timeout=x", "keepalives_idle=1.5", "schema=public", "pgbouncer=true"] {
            assert_eq!(libpq(&format!("postgres://h/db?{never}")), None, "{never}");
        }
        for (foreign, advice) in [
            ("schema=public", "search_path"),
            ("currentSchema=public", "search_path"),
            ("search_path=public", "options=-c"),
            ("pgbouncer=true", "pool_mode=session"),
        ] {
            let told = PostgresUrl::parse(&format!("h/db?{foreign}")).unwrap_err().to_string();
            assert!(told.contains("another driver's option") && told.contains(advice), "{told}");
        }
    }

    #[test]
    fn remote_host_without_sslmode_may_be_unencrypted() {
        let parse = |rest: &str| PostgresUrl::parse(rest).unwrap();
        for exposed in [
            "db/app",
            "u:p@10.0.0.1:5432/app",
            "[2001:db8::1]:5432/app",
            "localhost,db/app",
            "localhost/app?host=db",
            "localhost/app?hostaddr=10.0.0.1",
            "db/app?sslrootcert=/ca.pem",
        ] {
            assert!(parse(exposed).may_be_in_the_clear(), "{exposed}");
        }
        for local in [
            "localhost/app",
            "127.0.0.1:5432/app",
            "[::1]:5432/app",
            "/app",
            "",
            "%2Frun%2Fpostgresql/app",
            "/app?host=/run/postgresql",
            "/app?host=::1",
            "db/app?sslmode=prefer",
            "db/app?ssl=disable",
        ] {
            assert!(!parse(local).may_be_in_the_clear(), "{local}");
        }
    }

    #[test]
    fn names_of_parameters_are_no_secrets() {
        let url = PostgresUrl::parse(
            "u:p@db/app?connect_timeout=1&user=service&options=-c%20a.b%3D1%20--work-mem%3D1%20-cx%3D2",
        );
        let url = url.unwrap();
        for name in ["connect_timeout", "options", "a.b", "work_mem", "x"] {
            assert!(url.is_parameter(name), "{name}");
        }
        for other in ["", "user", "service", "keepalives", "p", "app", "1"] {
            assert!(!url.is_parameter(other), "{other}");
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
