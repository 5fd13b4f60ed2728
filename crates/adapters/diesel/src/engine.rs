//! What the two databases have in common as far as a transaction goes.

use diesel::connection::{AnsiTransactionManager, Connection, Instrumentation, InstrumentationEvent};
use diesel::result::QueryResult;
use portcullis_ports::{StoreError, TxMode};

/// A connection to either database.
pub(crate) trait Engine: Connection<TransactionManager = AnsiTransactionManager> + 'static {
    /// What a failed statement means for whoever asked for it. Says nothing of values.
    fn classify(error: &diesel::result::Error, mode: TxMode) -> StoreError;

    /// Whether the last statement that failed on this thread had waited for a lock too long, if that
    /// shows by its time alone.
    fn has_waited_for_lock() -> bool {
        false
    }

    /// Tells the database that what this transaction has it write is to reach the disk early.
    fn write_in_background(&mut self) -> QueryResult<()> {
        Ok(())
    }
}

/// Logs statements at DEBUG, without the values bound to them.
pub(crate) fn statement_log() -> impl Instrumentation {
    |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event
            && tracing::enabled!(target: "app.store", tracing::Level::DEBUG)
        {
            let text = query.to_string();
            let statement = text.split_once("-- binds").map_or(text.as_str(), |(statement, _)| statement);
            tracing::debug!(target: "app.store", statement = statement.trim_end(), "Statement");
        }
    }
}
