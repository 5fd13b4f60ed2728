//! Settings of the circuit breaker.

use std::time::Duration;

/// Settings of a circuit breaker. Values out of range are clamped, so that no breaker can stay open or
/// closed forever.
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
    call_timeout: Duration,
}

impl BreakerSettings {
    /// Minimum recovery timeout: 1 ms.
    pub const MIN_RECOVERY_TIMEOUT: Duration = Duration::from_millis(1);
    /// Maximum recovery timeout: 24 h.
    pub const MAX_RECOVERY_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

    /// Sets the number of consecutive failures that open the circuit. Minimum 1, default 5.
    #[must_use]
    pub fn with_failure_threshold(self, failures: u32) -> Self {
        Self { failure_threshold: failures.max(1), ..self }
    }

    /// Sets how long an open circuit refuses all calls: 1 ms to 24 h, default 30 s.
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

    /// Sets the maximum number of probes in a half-open circuit. All of them must succeed to close it.
    /// Minimum 1, default 1.
    ///
    /// ```
    /// use portcullis_resilience::BreakerSettings;
    /// assert_eq!(BreakerSettings::default().with_half_open_max_calls(3).half_open_max_calls(), 3);
    /// ```
    #[must_use]
    pub fn with_half_open_max_calls(self, calls: u32) -> Self {
        Self { half_open_max_calls: calls.max(1), ..self }
    }

    /// Sets how long a call may run before it counts as failed, in case its response never comes. Its later
    /// outcome is ignored. The breaker notices this at the next call or snapshot; it does not cancel the
    /// call. Minimum 1 ms, default unlimited.
    ///
    /// ```
    /// use portcullis_resilience::BreakerSettings;
    /// use std::time::Duration;
    /// let settings = BreakerSettings::default().with_call_timeout(Duration::from_secs(10));
    /// assert_eq!(settings.call_timeout(), Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn with_call_timeout(self, timeout: Duration) -> Self {
        Self { call_timeout: timeout.max(Self::MIN_RECOVERY_TIMEOUT), ..self }
    }

    /// Returns the number of consecutive failures that open the circuit.
    #[must_use]
    pub fn failure_threshold(&self) -> u32 {
        self.failure_threshold
    }

    /// Returns how long an open circuit refuses all calls.
    #[must_use]
    pub fn recovery_timeout(&self) -> Duration {
        self.recovery_timeout
    }

    /// Returns the maximum number of probes in a half-open circuit.
    #[must_use]
    pub fn half_open_max_calls(&self) -> u32 {
        self.half_open_max_calls
    }

    /// Returns how long a call may run before it counts as failed.
    #[must_use]
    pub fn call_timeout(&self) -> Duration {
        self.call_timeout
    }
}

impl Default for BreakerSettings {
    /// Returns 5 failures, 30 s, 1 probe and no call timeout.
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            recovery_timeout: Duration::from_secs(30),
            half_open_max_calls: 1,
            call_timeout: Duration::MAX,
        }
    }
}
