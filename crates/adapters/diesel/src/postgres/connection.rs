//! Opens connections and sets their timeouts and planner settings. Every query has a statement timeout.

use super::language::{Language, stopwatch};
use super::node;
use super::refusal::Refusal;
use super::url::PostgresUrl;
use crate::engine::{Engine, statement_log};
use crate::options::StoreOptions;
use diesel::connection::{Instrumentation, InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;
use diesel::result::{ConnectionError, DatabaseErrorKind, Error};
use parking_lot::Mutex;
use portcullis_ports::{Clock, TxMode};
use std::sync::Arc;

/// Timeouts of every connection, unless the URL's `options` set them.
const SESSION_TIMEOUTS: [(&str, &str); 3] =
    [("statement_timeout", "5s"), ("lock_timeout", "3s"), ("idle_in_transaction_session_timeout", "10s")];
/// Planner settings: every statement must find its rows through an index, one by one, regardless of the
/// table size. By default PostgreSQL plans a statement each time, which costs more than executing it,
/// or keeps a plan with a sequential scan from when the table was small.
const PLANNER_SETTINGS: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_bitmapscan", "off"),
    // Cost estimates are meaningless with these settings and would trigger JIT compilation.
    ("jit", "off"),
];
/// A database with the encoding SQL_ASCII can contain any bytes. It rejects a whole query if a value is
/// not UTF-8, unless the bytes are sent unconverted.
const RAW_BYTES: &str = "SELECT set_config('client_encoding', 'SQL_ASCII', false) \
                         WHERE current_setting('server_encoding') = 'SQL_ASCII';";
/// Timeouts during a migration: an index over many rows takes long to build, but the wait for other
/// migrating processes is limited.
const MIGRATION_LIMITS: [(&str, &str); 3] =
    [("statement_timeout", "10min"), ("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "10min")];

/// Opens connections to the server in the URL.
pub(super) struct Connector {
    url: PostgresUrl,
    settings: String,
    migration_limits: String,
    language: Language,
    log_statements: bool,
    clock: Arc<dyn Clock>,
}

impl Connector {
    pub(super) fn new(url: &PostgresUrl, options: &StoreOptions, clock: Arc<dyn Clock>) -> Self {
        let unset = |settings: &[(&str, &str)]| -> String {
            let unset = settings.iter().filter(|(name, _)| !url.sets_option(name));
            unset.map(|(name, value)| format!("SET {name} = '{value}';")).collect()
        };
        Self {
            url: url.clone(),
            settings: unset(&SESSION_TIMEOUTS) + &unset(&PLANNER_SETTINGS) + RAW_BYTES,
            migration_limits: unset(&MIGRATION_LIMITS),
            language: Language::default(),
            log_statements: options.log_statements,
            clock,
        }
    }

    /// Opens a connection with timeouts and planner settings.
    pub(super) fn open(&self) -> Result<PgConnection, Refusal> {
        self.set_up(self.connect()?)
    }

    /// Sets timeouts and planner settings on a new connection.
    pub(super) fn set_up(&self, connection: PgConnection) -> Result<PgConnection, Refusal> {
        self.set_up_with(connection, &self.settings)
    }

    /// Sets the longer timeouts of a migration on a new connection.
    pub(super) fn set_up_for_migration(&self, connection: PgConnection) -> Result<PgConnection, Refusal> {
        self.set_up_with(connection, &self.migration_limits)
    }

    /// Stores the detail of the first failed statement, and logs statements if enabled.
    pub(super) fn instrumentation(&self, detail: Arc<Mutex<Option<String>>>) -> impl Instrumentation + use<> {
        let mut log = self.log_statements.then(statement_log);
        move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::FinishQuery { error: Some(error), .. } = &event
                && let Some(told) = detail_of(error)
            {
                detail.lock().get_or_insert(told);
            }
            if let Some(log) = &mut log {
                log.on_connection_event(event);
            }
        }
    }

    /// Opens a connection with no settings applied.
    pub(super) fn connect(&self) -> Result<PgConnection, Refusal> {
        PgConnection::establish(&self.url.for_libpq()).map_err(|error| match error {
            ConnectionError::CouldntSetupConfiguration(error) => {
                Refusal::Failed(PgConnection::classify(&error, TxMode::Write))
            }
            error => Refusal::of(&error.to_string(), &self.url),
        })
    }

    /// Returns whether the server's messages are known not to be in English.
    pub(super) fn is_foreign(&self) -> bool {
        self.language.is_foreign()
    }

    fn set_up_with(&self, mut connection: PgConnection, settings: &str) -> Result<PgConnection, Refusal> {
        let classify = |error: Error| Refusal::Failed(PgConnection::classify(&error, TxMode::Write));
        if !settings.is_empty() {
            connection.batch_execute(settings).map_err(classify)?;
        }
        let limits = self.language.settle(&mut connection).map_err(Refusal::Failed)?;
        let log = self.log_statements.then(statement_log);
        let watch: Option<Box<dyn Instrumentation>> = match (limits, log) {
            (Some(limits), log) => Some(Box::new(stopwatch(limits, self.clock.clone(), log))),
            (None, Some(log)) => Some(Box::new(log)),
            (None, None) => None,
        };
        if self.url.has_several_hosts() {
            let node = node::of(&mut connection).map_err(Refusal::Failed)?;
            connection.set_instrumentation(node::watch(node, watch));
        } else if let Some(watch) = watch {
            connection.set_instrumentation(watch);
        }
        Ok(connection)
    }
}

/// Returns the error's detail. `None` for constraints on a single row, because PostgreSQL quotes the
/// whole row there, including the password hash.
fn detail_of(error: &Error) -> Option<String> {
    match error {
        Error::DatabaseError(DatabaseErrorKind::NotNullViolation | DatabaseErrorKind::CheckViolation, _) => None,
        Error::DatabaseError(_, information) => information.details().map(str::to_owned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diesel::dsl::sql;
    use diesel::sql_types::Text;
    use portcullis_testkit::FixedClock;
    use portcullis_testkit::postgres::Server;

    #[test]
    fn every_connection_has_its_limits() {
        let parse = |url: &str| PostgresUrl::parse(url.strip_prefix("postgres://").unwrap()).unwrap();
        let url = Server::shared().create_database().url;
        let settings = |parameters: &str| {
            let clock = Arc::new(FixedClock::at(chrono::DateTime::UNIX_EPOCH));
            let opener = Connector::new(&parse(&format!("{url}{parameters}")), &StoreOptions::default(), clock);
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
        // `tcp_user_timeout` is set on the client; the server's own setting stays unset.
        assert_eq!(settings(""), "5s 3s 10s 0 portcullis UTC");
        assert_eq!(settings("?options=-c%20lock_timeout%3D7s&application_name=x"), "5s 7s 10s 0 x UTC");
    }
}
