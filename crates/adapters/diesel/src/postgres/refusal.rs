//! Classifies failures to connect by the client library's message, which is in English. The server's
//! part of it may be in any language.

use super::url::PostgresUrl;
use crate::error::MigrateError;
use crate::pool::OpenFailure;
use portcullis_ports::StoreError;

/// Start of messages about a server that could not be reached or that refused.
const TRIED: [&str; 3] = ["connection to server", "could not translate host name", "out of memory"];
/// Start of messages about files that the URL names.
const FILES: [&str; 8] = [
    "root certificate file",
    "could not read root certificate file",
    "could not open certificate file",
    "could not read certificate file",
    "certificate present, but not private key file",
    "private key file",
    "could not load private key file",
    "could not get home directory",
];
/// English messages of servers and poolers about parameters.
const PARAMETERS: [&str; 6] = [
    "unrecognized configuration parameter",
    "invalid value for parameter",
    "invalid command-line argument",
    "permission denied to set parameter",
    "unsupported startup parameter",
    "cannot be changed",
];
/// Quotation marks around names and values in the servers' languages.
const QUOTES: [char; 6] = ['"', '»', '«', '„', '“', '”'];

/// Reason why a connection could not be opened. Contains no part of the URL except its hosts and names of
/// parameters.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A parameter of the URL can never work.
    Parameter(String),
    /// The server responded and refused.
    Refused(String),
    /// Any other failure.
    Failed(StoreError),
}

impl Refusal {
    /// Classifies a message of the client library.
    pub(super) fn of(message: &str, url: &PostgresUrl) -> Self {
        let text = without_quotes(message, |quoted| url.is_parameter(quoted) || url.names_host(quoted));
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let of_library = !message.is_empty() && !TRIED.iter().any(|tried| message.starts_with(tried));
        let reason = message.split_once(" failed: ").map_or(message, |(_, reason)| reason);
        // A role or database may have the same name as a parameter of the client library.
        let is_parameter = |quoted: &str| {
            if is_servers(reason) { url.is_server_setting(quoted) } else { url.is_parameter(quoted) }
        };
        let of_file = FILES.iter().any(|known| reason.starts_with(known));
        let of_parameter = PARAMETERS.iter().any(|known| reason.contains(known)) || quoted(reason).any(is_parameter);
        if of_library || of_file || of_parameter {
            Self::Parameter(line)
        } else if is_servers(reason) {
            Self::Refused(line)
        } else {
            Self::Failed(StoreError::Unavailable(line))
        }
    }
}

/// Returns whether the server sent the message: it starts with a severity of one word, in its language,
/// and has two spaces after the colon.
fn is_servers(reason: &str) -> bool {
    reason.split_once(":  ").is_some_and(|(severity, _)| !severity.contains(char::is_whitespace))
}

/// Returns the quoted parts of a message.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split(QUOTES).skip(1).step_by(2)
}

/// Removes the quoted parts, which may come from the URL, except those that `may_be_shown`.
fn without_quotes(message: &str, may_be_shown: impl Fn(&str) -> bool) -> String {
    let parts = message.split(QUOTES).enumerate();
    parts.map(|(number, part)| if number % 2 == 0 || may_be_shown(part) { part } else { "…" }).collect()
}

impl From<Refusal> for StoreError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Parameter(reason) | Refusal::Refused(reason) => Self::Unavailable(reason),
            Refusal::Failed(error) => error,
        }
    }
}

impl From<Refusal> for MigrateError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Parameter(reason) => Self::Url(reason),
            other => StoreError::from(other).into(),
        }
    }
}

impl From<Refusal> for OpenFailure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Refused(reason) => Self::Refused(StoreError::Unavailable(reason)),
            other => Self::Failed(other.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(message: &str) -> Refusal {
        let url = "u:p@db/app?connect_timeout=7&options=-c%20nosuch%3D1%20--work-mem%3D1&client_encoding=latin9x";
        Refusal::of(message, &PostgresUrl::parse(url).unwrap())
    }

    #[test]
    fn what_is_quoted_is_left_out() {
        let message =
            "connection to server at \"db.example\" (10.0.0.1), port 5432 failed: Connection refused\n\tIs it up?";
        let told = "connection to server at … (10.0.0.1), port 5432 failed: Connection refused Is it up?";
        assert!(matches!(refusal(message), Refusal::Failed(StoreError::Unavailable(line)) if line == told));
        let german = "connection to server at \"h\", port 1 failed: FATAL:  Datenbank »secret« existiert nicht";
        assert!(matches!(refusal(german), Refusal::Refused(line) if !line.contains("secret")));
    }

    #[test]
    fn the_hosts_are_named_of_which_each_failed() {
        let url = PostgresUrl::parse("u:p@one.example,10.0.0.2:5433,[fd00::3]/app").unwrap();
        let message = "connection to server at \"one.example\" (10.0.0.1), port 5432 failed: Connection refused\n\
            connection to server at \"10.0.0.2\", port 5433 failed: FATAL:  role \"u\" does not exist\n\
            connection to server at \"fd00::3\", port 5432 failed: session is read-only";
        let told = "connection to server at one.example (10.0.0.1), port 5432 failed: Connection refused \
            connection to server at 10.0.0.2, port 5433 failed: FATAL: role … does not exist \
            connection to server at fd00::3, port 5432 failed: session is read-only";
        assert_eq!(StoreError::from(Refusal::of(message, &url)), StoreError::Unavailable(told.to_owned()));
    }

    #[test]
    fn a_parameter_that_is_refused_is_named_without_its_value() {
        for (message, line) in [
            (
                "invalid integer value \"x\" for connection option \"connect_timeout\"",
                "invalid integer value … for connection option connect_timeout",
            ),
            ("invalid sslmode value: \"secret\"", "invalid sslmode value: …"),
            (
                "connection to server at \"h\" failed: FATAL:  unbekannter Konfigurationsparameter »nosuch«",
                "connection to server at … failed: FATAL: unbekannter Konfigurationsparameter nosuch",
            ),
            (
                "connection to server at \"h\" failed: FATAL:  ungültiger Wert für Parameter »client_encoding«: »latin9x«",
                "connection to server at … failed: FATAL: ungültiger Wert für Parameter client_encoding: …",
            ),
            (
                "connection to server at \"h\" failed: FATAL:  unsupported startup parameter: options",
                "connection to server at … failed: FATAL: unsupported startup parameter: options",
            ),
            (
                "connection to server at \"h\" failed: root certificate file \"/x\" does not exist",
                "connection to server at … failed: root certificate file … does not exist",
            ),
        ] {
            let refusal = refusal(message);
            assert!(matches!(&refusal, Refusal::Parameter(told) if told == line), "{refusal:?}");
        }
    }

    #[test]
    fn server_refusal_is_distinguished_from_an_outage() {
        let at = |reason: &str| refusal(&format!("connection to server at \"h\", port 1 failed: {reason}"));
        for reason in [
            "FATAL:  too many connections for role \"app\"",
            "ВАЖНО:  слишком много подключений",
            "FATAL:  password authentication failed for user \"connect_timeout\"",
        ] {
            assert!(matches!(at(reason), Refusal::Refused(_)), "{reason}");
        }
        for reason in [
            "timeout expired",
            "Connection refused",
            "SSL error: certificate verify failed",
            "server closed the connection unexpectedly",
        ] {
            assert!(matches!(at(reason), Refusal::Failed(_)), "{reason}");
        }
        let lookup = refusal("could not translate host name \"db\" to address: Name or service not known");
        assert!(matches!(lookup, Refusal::Failed(_)), "{lookup:?}");
    }
}
