//! Telling whether the service can do its work.

mod readiness;

pub use readiness::{CheckReadiness, DependencyCheck, ReadinessReport};
