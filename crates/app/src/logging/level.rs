//! Filter of events and spans by level. The levels themselves are in `settings::logging`.

use crate::settings::Level;
use portcullis_telemetry::TRACES;
use tracing::Metadata;

/// Filter of events and spans.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogFilter {
    /// Minimum severity.
    pub(super) level: Level,
    /// True if traces are exported.
    pub(super) traced: bool,
}

impl LogFilter {
    /// Returns whether the event or span is used. Others are never created.
    pub(super) fn is_enabled(self, metadata: &Metadata<'_>) -> bool {
        if metadata.target() == TRACES { self.traced } else { self.level.takes(metadata) }
    }
}

impl Level {
    /// Returns whether the event or span is used. Of other crates, only warnings are logged, at `DEBUG`
    /// also `INFO`, but never their debug events: these may contain request data. Own spans and spans with a
    /// request id are used at any level.
    fn takes(self, metadata: &Metadata<'_>) -> bool {
        let ours = is_ours(metadata.target());
        if metadata.is_span() {
            return ours || metadata.fields().field(super::layer::REQUEST_ID).is_some();
        }
        let foreign = match self {
            Self::Debug => tracing::Level::INFO,
            // It logs an error for every malformed request: any client could fill the log.
            _ if metadata.target().starts_with("actix_http") => return false,
            _ => tracing::Level::WARN,
        };
        let severity = *metadata.level();
        self.least().is_some_and(|least| severity <= least) && (ours || severity <= foreign)
    }

    fn least(self) -> Option<tracing::Level> {
        match self {
            Self::Debug => Some(tracing::Level::TRACE),
            Self::Info => Some(tracing::Level::INFO),
            Self::Warning => Some(tracing::Level::WARN),
            Self::Error => Some(tracing::Level::ERROR),
            Self::Critical => None,
        }
    }
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warning,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG | tracing::Level::TRACE => Self::Debug,
        }
    }
}

fn is_ours(target: &str) -> bool {
    target == "app" || target.starts_with("app.") || target.starts_with("portcullis")
}
