//! What is logged at each level. The levels themselves are a setting.

use crate::settings::Level;
use portcullis_telemetry::TRACES;
use tracing::Metadata;

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogFilter {
    /// The least severe events that are told.
    pub(super) level: Level,
    /// Whether somebody makes traces of spans.
    pub(super) traced: bool,
}

impl LogFilter {
    /// Whether the event or span is of use to anybody: what is not is never made.
    pub(super) fn is_enabled(self, metadata: &Metadata<'_>) -> bool {
        if metadata.target() == TRACES { self.traced } else { self.level.takes(metadata) }
    }
}

impl Level {
    /// Whether the event or span is of use. Foreign crates have their warnings told, and a
    /// little more at `DEBUG`, but never their own debugging: it may show what a request held.
    /// Spans lead to a request's id at any level.
    fn takes(self, metadata: &Metadata<'_>) -> bool {
        let ours = is_ours(metadata.target());
        if metadata.is_span() {
            return ours || metadata.fields().field(super::layer::REQUEST_ID).is_some();
        }
        let foreign = match self {
            Self::Debug => tracing::Level::INFO,
            // Its errors are callers' broken messages: anybody could fill the log with them.
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
