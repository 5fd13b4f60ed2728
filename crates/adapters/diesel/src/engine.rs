//! Operations on a connection that differ between the two databases.

use diesel::connection::{AnsiTransactionManager, Connection, Instrumentation, InstrumentationEvent};
use diesel::result::QueryResult;
use portcullis_ports::{StoreError, TxMode};

/// Connection to either database.
pub(crate) trait Engine: Connection<TransactionManager = AnsiTransactionManager> + 'static {
    /// Classifies the error of a failed statement. The result contains no values.
    fn classify(error: &diesel::result::Error, mode: TxMode) -> StoreError;

    /// Returns whether the last failed statement on this thread hit the lock timeout, judged by its
    /// duration. Only needed if the server's messages are not in English.
    fn has_waited_for_lock() -> bool {
        false
    }

    /// Configures this transaction to write its pages to disk early, not all at once at a checkpoint.
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
