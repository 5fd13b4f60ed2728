//! Options of a store.

use std::num::NonZeroU32;
use std::time::Duration;

/// Options of a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Maximum number of concurrent transactions. On SQLite this limits only reads, because there is one
    /// writer.
    pub connections: NonZeroU32,
    /// Maximum time that a caller waits for a connection or a lock. After that, the call fails with
    /// `StoreError::Busy`.
    pub wait: Duration,
    /// Logs statements at DEBUG under `app.store`, without their values.
    pub log_statements: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { connections: NonZeroU32::MIN.saturating_add(7), wait: Duration::from_secs(5), log_statements: false }
    }
}
