//! Parts that the whole process shares.

use super::Traces;
use super::metrics::Metrics;
use crate::settings::WithoutKeys;
use crate::system::SystemClock;
use anyhow::Context;
use portcullis_diesel::{Database, DatabaseUrl, StoreOptions};
use portcullis_ports::Clock;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Read connections to an SQLite file. Few suffice: a read takes microseconds, and each one takes memory.
const READERS: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);
/// Maximum wait for a connection or a lock.
pub(super) const STORE_WAIT: Duration = Duration::from_secs(5);

/// Parts that the whole process shares.
pub(crate) struct AppContext {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) database: Database,
    pub(crate) metrics: Metrics,
    /// Empty until `serve` starts the exporter.
    pub(crate) traces: Traces,
}

impl AppContext {
    /// Opens the database and the metrics. Does not connect to PostgreSQL yet.
    pub(crate) fn open(settings: &WithoutKeys) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let database = open_database(settings, &clock)?;
        let metrics = Metrics::new(settings.metrics.metrics, &clock)?;
        metrics.database(&database)?;
        Ok(Self { clock, database, metrics, traces: Traces::default() })
    }
}

/// Opens the database.
pub(crate) fn open_database(settings: &WithoutKeys, clock: &Arc<dyn Clock>) -> anyhow::Result<Database> {
    let url = &settings.database.url;
    let connections = if matches!(url, DatabaseUrl::Sqlite(_)) { READERS } else { settings.database.connections };
    let options = StoreOptions { connections, wait: STORE_WAIT, log_statements: settings.server.debug };
    Database::open(url, &options, clock.clone()).context("DATABASE_URL")
}
