//! Readiness of the service and its dependencies.

mod readiness;

pub use readiness::{CheckReadiness, DependencyCheck, ReadinessReport};
