//! Cache of one document of a provider. Concurrent callers share one fetch.

use crate::jwks::Jwks;
use parking_lot::Mutex;
use portcullis_ports::{Clock, ProviderError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Age up to which a document is used without a request.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// Age up to which a document is used while the provider is unreachable (RFC 5861 §4).
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// Time after a failed fetch in which its outcome is used again, so that waiting callers do not fetch in turn.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// Minimum time between two refetches.
const REFETCH_PAUSE: Duration = Duration::from_secs(60);

/// Cached document.
pub(crate) struct Cache<T> {
    state: Mutex<State<T>>,
    /// Held during a fetch.
    fetching: Mutex<()>,
    clock: Arc<dyn Clock>,
}

/// Keys of issuers. Providers that share an issuer share its keys, so that it gets one refetch a minute from all of
/// them together.
pub struct KeyCaches {
    caches: Mutex<HashMap<String, Arc<Cache<Jwks>>>>,
    clock: Arc<dyn Clock>,
}

impl KeyCaches {
    /// Creates caches without keys.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { caches: Mutex::default(), clock }
    }

    pub(crate) fn of(&self, issuer: &str) -> Arc<Cache<Jwks>> {
        let mut caches = self.caches.lock();
        caches.entry(issuer.to_owned()).or_insert_with(|| Arc::new(Cache::new(self.clock.clone()))).clone()
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }
}

/// Times are monotonic.
struct State<T> {
    value: Option<(Arc<T>, Duration)>,
    failure: Option<(ProviderError, Duration)>,
    refetched_at: Option<Duration>,
}

impl<T> State<T> {
    fn younger_than(&self, age: Duration, now: Duration) -> Option<Arc<T>> {
        let (value, at) = self.value.as_ref()?;
        (now.saturating_sub(*at) < age).then(|| value.clone())
    }

    /// Returns the outcome that needs no fetch: a fresh document, or the last failure if it is recent.
    fn settled(&self, now: Duration) -> Option<Result<Arc<T>, ProviderError>> {
        if let Some(value) = self.younger_than(FRESH, now) {
            return Some(Ok(value));
        }
        let (error, at) = self.failure.as_ref()?;
        (now.saturating_sub(*at) < RETRY_PAUSE).then(|| self.or_stale(error.clone(), now))
    }

    /// Returns a stale document if the provider is unreachable, else the error.
    fn or_stale(&self, error: ProviderError, now: Duration) -> Result<Arc<T>, ProviderError> {
        match self.younger_than(STALE, now) {
            Some(value) if matches!(error, ProviderError::Unavailable(_)) => Ok(value),
            _ => Err(error),
        }
    }
}

impl<T> Cache<T> {
    /// Creates an empty cache.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let state = State { value: None, failure: None, refetched_at: None };
        Self { state: Mutex::new(state), fetching: Mutex::new(()), clock }
    }

    /// Returns the document, fetching it if it is older than an hour. Waits for another caller's fetch only
    /// if there is no document at all.
    pub(crate) fn get(&self, fetch: impl FnOnce() -> Result<T, ProviderError>) -> Result<Arc<T>, ProviderError> {
        let now = self.clock.monotonic();
        let stale = {
            let state = self.state.lock();
            if let Some(outcome) = state.settled(now) {
                return outcome;
            }
            state.younger_than(STALE, now)
        };
        let _guard = match (self.fetching.try_lock(), stale) {
            (Some(guard), _) => guard,
            (None, Some(stale)) => return Ok(stale),
            (None, None) => self.fetching.lock(),
        };
        // Another caller may have fetched while this one waited.
        if let Some(outcome) = self.state.lock().settled(self.clock.monotonic()) {
            return outcome;
        }
        self.fetch(fetch).or_else(|error| self.state.lock().or_stale(error, self.clock.monotonic()))
    }

    /// Fetches the document anew, at most once a minute. Returns the cached one within that minute.
    pub(crate) fn refetch(&self, fetch: impl FnOnce() -> Result<T, ProviderError>) -> Result<Arc<T>, ProviderError> {
        let _guard = self.fetching.lock();
        {
            let mut state = self.state.lock();
            let now = self.clock.monotonic();
            let is_recent = state.refetched_at.is_some_and(|at| now.saturating_sub(at) < REFETCH_PAUSE);
            match &state.value {
                Some((value, _)) if is_recent => return Ok(value.clone()),
                _ => state.refetched_at = Some(now),
            }
        }
        self.fetch(fetch)
    }

    /// Fetches and stores the outcome. The caller holds `fetching`.
    fn fetch(&self, fetch: impl FnOnce() -> Result<T, ProviderError>) -> Result<Arc<T>, ProviderError> {
        let fetched = fetch();
        let mut state = self.state.lock();
        let now = self.clock.monotonic();
        match fetched {
            Ok(value) => {
                let value = Arc::new(value);
                (state.value, state.failure) = (Some((value.clone(), now)), None);
                Ok(value)
            }
            Err(error) => {
                state.failure = Some((error.clone(), now));
                Err(error)
            }
        }
    }
}
