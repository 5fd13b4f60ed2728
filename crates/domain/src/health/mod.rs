//! Readiness of the service, from the state of its dependencies.

/// State of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum CircuitState {
    /// Calls pass.
    Closed,
    /// Calls are refused at once.
    Open,
    /// A few calls pass as probes.
    HalfOpen,
}

impl CircuitState {
    /// Returns the name: `closed`, `open` or `half_open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Readiness of a dependency or of the whole service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Readiness {
    /// Fully operational.
    Ok,
    /// Operational, but an optional dependency is unavailable.
    Degraded,
    /// Not operational: a required dependency is unavailable.
    Unavailable,
}

impl Readiness {
    /// Returns the name: `ok`, `degraded` or `unavailable`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Unavailable => "unavailable",
        }
    }

    /// Returns the worst of several values, or [`Readiness::Ok`] if there are none.
    ///
    /// ```
    /// use portcullis_domain::health::Readiness;
    /// assert_eq!(Readiness::worst([Readiness::Ok, Readiness::Degraded]), Readiness::Degraded);
    /// ```
    #[must_use]
    pub fn worst(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().max().unwrap_or(Self::Ok)
    }
}
