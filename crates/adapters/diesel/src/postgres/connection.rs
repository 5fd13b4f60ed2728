//! Opening connections, each told its time limits (no query without a statement timeout) and how
//! statements are planned.

use super::url::PostgresUrl;
use crate::database::StoreOptions;
use crate::engine::{Engine, statement_log};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use portcullis_ports::{Mode, StoreError};

/// What the server is told on every connection, unless the URL's `options` say otherwise.
const LIMITS: [(&str, &str); 3] =
    [("statement_timeout", "5s"), ("lock_timeout", "3s"), ("idle_in_transaction_session_timeout", "10s")];
/// How the server is to plan: every statement finds its rows by an index, one by one, whatever the
/// tables' sizes. Left to itself it plans a statement anew each time, which costs more than to
/// carry it out; or it keeps a plan that reads a whole table, made when the table was small.
const PLANNING: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_bitmapscan", "off"),
    // Costs are no measure then, and would have it compile.
    ("jit", "off"),
];
/// A database whose encoding is SQL_ASCII holds any bytes, and refuses whole queries over values that
/// are not UTF-8 unless they are sent as they are.
const RAW_BYTES: &str = "SELECT set_config('client_encoding', 'SQL_ASCII', false) \
                         WHERE current_setting('server_encoding') = 'SQL_ASCII';";
/// What it is told when the schema changes: an index over many rows takes its time, waiting for
/// other migrators is bounded.
const MIGRATION_LIMITS: [(&str, &str); 3] =
    [("statement_timeout", "10min"), ("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "10min")];

/// Opens connections.
pub(super) struct Opener {
    url: String,
    settings: String,
    migration_limits: String,
    log_statements: bool,
}

impl Opener {
    pub(super) fn new(url: &PostgresUrl, options: &StoreOptions) -> Self {
        let unset = |settings: &[(&str, &str)]| -> String {
            let unset = settings.iter().filter(|(name, _)| !url.sets_option(name));
            unset.map(|(name, value)| format!("SET {name} = '{value}';")).collect()
        };
        Self {
            url: url.for_libpq(),
            settings: unset(&LIMITS) + &unset(&PLANNING) + RAW_BYTES,
            migration_limits: unset(&MIGRATION_LIMITS),
            log_statements: options.log_statements,
        }
    }

    /// A new connection.
    pub(super) fn open(&self) -> Result<PgConnection, StoreError> {
        self.open_with(&self.settings)
    }

    /// A new connection that may take its time.
    pub(super) fn open_for_migration(&self) -> Result<PgConnection, StoreError> {
        self.open_with(&self.migration_limits)
    }

    fn open_with(&self, settings: &str) -> Result<PgConnection, StoreError> {
        let opened = PgConnection::establish(&self.url);
        let mut connection = opened.map_err(|error| StoreError::Unavailable(without_quotes(&error.to_string())))?;
        if self.log_statements {
            connection.set_instrumentation(statement_log());
        }
        if !settings.is_empty() {
            connection.batch_execute(settings).map_err(|error| PgConnection::classify(&error, Mode::Write))?;
        }
        Ok(connection)
    }
}

/// A message of the client library in one line, without what it quotes: parts of the URL.
fn without_quotes(message: &str) -> String {
    let parts: Vec<_> = message.split('"').step_by(2).collect();
    parts.join("…").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use diesel::dsl::sql;
    use diesel::sql_types::Text;
    use portcullis_testkit::postgres::Server;

    #[test]
    fn every_connection_has_its_limits() {
        let parse = |url: &str| PostgresUrl::parse(url.strip_prefix("postgres://").unwrap()).unwrap();
        let url = Server::shared().create_database().url;
        let settings = |parameters: &str| {
            let opener = Opener::new(&parse(&format!("{url}{parameters}")), &StoreOptions::default());
            let mut connection = opener.open().unwrap();
            let mut show =
                |name: &str| sql::<Text>(&format!("SHOW {name}")).get_result::<String>(&mut connection).unwrap();
            [
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
                "tcp_user_timeout",
                "application_name",
                "TimeZone",
            ]
            .map(&mut show)
            .join(" ")
        };
        // The time limit on unacknowledged data is the client's own: the server's stays unset.
        assert_eq!(settings(""), "5s 3s 10s 0 portcullis UTC");
        assert_eq!(settings("?options=-c%20lock_timeout%3D7s&application_name=x"), "5s 7s 10s 0 x UTC");
    }

    #[test]
    fn what_is_quoted_is_left_out() {
        let message =
            "connection to server at \"db.example\" (10.0.0.1), port 5432 failed: Connection refused\n\tIs it up?";
        let told = "connection to server at … (10.0.0.1), port 5432 failed: Connection refused Is it up?";
        assert_eq!(without_quotes(message), told);
        assert_eq!(without_quotes("invalid port number: \"se\"cret"), "invalid port number: …cret");
    }
}
