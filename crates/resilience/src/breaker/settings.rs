//! When a circuit opens, for how long, and how it is probed.

use std::time::Duration;

/// When a circuit opens, for how long, and how it is probed. Values out of range are moved to
/// the nearest one within, so that no setting makes a breaker that never opens or never closes.
///
/// ```
/// use portcullis_resilience::BreakerSettings;
/// use std::time::Duration;
/// let settings = BreakerSettings::default();
/// assert_eq!(settings.failure_threshold(), 5);
/// assert_eq!(settings.recovery_timeout(), Duration::from_secs(30));
/// assert_eq!(settings.half_open_max_calls(), 1);
/// assert_eq!(settings.with_failure_threshold(0).failure_threshold(), 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    failure_threshold: u32,
    recovery_timeout: Duration,
    half_open_max_calls: u32,
    probe_timeout: Duration,
}

impl BreakerSettings {
    /// The shortest time that an open circuit stays open.
    pub const MIN_RECOVERY_TIMEOUT: Duration = Duration::from_millis(1);
    /// The longest time that an open circuit stays open without a probe: a day.
    pub const MAX_RECOVERY_TIMEOUT: Duration = Duration::from_hours(24);

    /// How many failures in a row open the circuit: 1 or more, 5 by default.
    #[must_use]
    pub fn with_failure_threshold(self, failures: u32) -> Self {
        Self { failure_threshold: failures.max(1), ..self }
    }

    /// How long an open circuit refuses every call: 1 ms to 24 h, 30 s by default.
    ///
    /// ```
    /// use portcullis_resilience::BreakerSettings;
    /// use std::time::Duration;
    /// let settings = BreakerSettings::default().with_recovery_timeout(Duration::MAX);
    /// assert_eq!(settings.recovery_timeout(), BreakerSettings::MAX_RECOVERY_TIMEOUT);
    /// ```
    #[must_use]
    pub fn with_recovery_timeout(self, timeout: Duration) -> Self {
        let recovery_timeout = timeout.clamp(Self::MIN_RECOVERY_TIMEOUT, Self::MAX_RECOVERY_TIMEOUT);
        Self { recovery_timeout, ..self }
    }

    /// How many calls a half-open circuit lets through, and how many of them must succeed to
    /// close it, which is all: 1 or more, 1 by default.
    ///
    /// ```
    /// use portcullis_resilience::BreakerSettings;
    /// assert_eq!(BreakerSettings::default().with_half_open_max_calls(3).half_open_max_calls(), 3);
    /// ```
    #[must_use]
    pub fn with_half_open_max_calls(self, calls: u32) -> Self {
        Self { half_open_max_calls: calls.max(1), ..self }
    }

    /// How long a half-open circuit waits for its probes before it lets others through: a call
    /// may be stuck for ever, and the circuit with it. 1 ms or more, without end by default. What
    /// a probe tells after that bears on nothing.
    ///
    /// ```
    /// use portcullis_resilience::BreakerSettings;
    /// use std::time::Duration;
    /// let settings = BreakerSettings::default().with_probe_timeout(Duration::from_secs(10));
    /// assert_eq!(settings.probe_timeout(), Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn with_probe_timeout(self, timeout: Duration) -> Self {
        Self { probe_timeout: timeout.max(Self::MIN_RECOVERY_TIMEOUT), ..self }
    }

    /// How many failures in a row open the circuit.
    #[must_use]
    pub fn failure_threshold(&self) -> u32 {
        self.failure_threshold
    }

    /// How long an open circuit refuses every call.
    #[must_use]
    pub fn recovery_timeout(&self) -> Duration {
        self.recovery_timeout
    }

    /// How many calls a half-open circuit lets through.
    #[must_use]
    pub fn half_open_max_calls(&self) -> u32 {
        self.half_open_max_calls
    }

    /// How long a half-open circuit waits for its probes.
    #[must_use]
    pub fn probe_timeout(&self) -> Duration {
        self.probe_timeout
    }
}

impl Default for BreakerSettings {
    /// 5 failures, 30 s, 1 probe, which may take its time.
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            recovery_timeout: Duration::from_secs(30),
            half_open_max_calls: 1,
            probe_timeout: Duration::MAX,
        }
    }
}
