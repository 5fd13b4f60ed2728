//! Whether the service can do its work: the states of its dependencies and what they add up to.

/// The state of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum CircuitState {
    /// Calls pass.
    Closed,
    /// Calls are refused at once.
    Open,
    /// A few calls pass, to see whether the dependency is back.
    HalfOpen,
}

impl CircuitState {
    /// The state's name: `closed`, `open`, `half_open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What a dependency's checks add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Readiness {
    /// All is well.
    Ok,
    /// Something is missing that the service can do without.
    Degraded,
    /// Something is missing that the service cannot do without.
    Unavailable,
}

impl Readiness {
    /// The name: `ok`, `degraded`, `unavailable`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Unavailable => "unavailable",
        }
    }

    /// The worst of several; [`Readiness::Ok`] for none.
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
