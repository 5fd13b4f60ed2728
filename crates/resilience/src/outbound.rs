//! HTTP client with a circuit breaker for each destination: one provider that is down does not affect calls
//! to the others.

use crate::sync::{Mutex, lock};
use crate::{CircuitBreaker, Permit};
use portcullis_domain::health::CircuitState;
use portcullis_ports::{CircuitMonitor, CircuitStatus, OutboundError, OutboundHttp, OutboundRequest, OutboundResponse};
use std::collections::VecDeque;
use std::time::Duration;

/// HTTP client with a circuit breaker for each destination (scheme, host and port). A destination's circuit is
/// created at its first call.
///
/// No response, an oversized one and a status of 500 or more are failures. A refused URL counts as neither
/// success nor failure.
///
/// ```
/// use portcullis_ports::{CircuitMonitor, OutboundError, OutboundHttp, OutboundRequest, OutboundResponse};
/// use portcullis_resilience::{BreakerSettings, CircuitBreaker, OutboundBreaker};
/// struct Down;
/// impl OutboundHttp for Down {
///     fn call(&self, _: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
///         Err(OutboundError::Unavailable("connection refused".into()))
///     }
/// }
/// let settings = BreakerSettings::default().with_failure_threshold(1);
/// let http = OutboundBreaker::new("providers", Down, move |_| CircuitBreaker::new(settings));
/// let call = |url| http.call(&OutboundRequest::get(url)).unwrap_err();
/// assert!(matches!(call("https://a.example/keys"), OutboundError::Unavailable(_)));
/// assert_eq!(call("https://a.example/token"), OutboundError::CircuitOpen);
/// assert!(matches!(call("https://b.example/keys"), OutboundError::Unavailable(_)));
/// assert_eq!(http.status().state.as_str(), "open");
/// ```
pub struct OutboundBreaker<H> {
    name: &'static str,
    inner: H,
    create: Box<dyn Fn(&str) -> CircuitBreaker + Send + Sync>,
    /// Circuits by destination, oldest first.
    circuits: Mutex<VecDeque<(String, CircuitBreaker)>>,
}

impl<H> OutboundBreaker<H> {
    /// Maximum number of circuits. A further destination replaces the oldest circuit.
    pub const MAX_CIRCUITS: usize = 64;

    /// Creates a client that calls `inner` through breakers. `name` is the name of all circuits together in the
    /// health report. `create` creates the breaker of a destination such as `https://accounts.example:443`.
    #[must_use]
    pub fn new(name: &'static str, inner: H, create: impl Fn(&str) -> CircuitBreaker + Send + Sync + 'static) -> Self {
        Self { name, inner, create: Box::new(create), circuits: Mutex::new(VecDeque::new()) }
    }

    fn breaker(&self, url: &str) -> CircuitBreaker {
        let destination = destination(url);
        if let Some(breaker) = find(&lock(&self.circuits), &destination) {
            return breaker;
        }
        let created = (self.create)(&destination);
        let mut circuits = lock(&self.circuits);
        // Another thread may have created it.
        if let Some(breaker) = find(&circuits, &destination) {
            return breaker;
        }
        if circuits.len() >= Self::MAX_CIRCUITS {
            circuits.pop_front();
        }
        circuits.push_back((destination, created.clone()));
        created
    }
}

impl<H: OutboundHttp> OutboundHttp for OutboundBreaker<H> {
    fn call(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let permit = self.breaker(&request.url).acquire().map_err(|_| OutboundError::CircuitOpen)?;
        let result = self.inner.call(request);
        settle(permit, &result);
        result
    }
}

/// Reports all circuits together: open if one is open, else half-open if one is.
impl<H: Send + Sync> CircuitMonitor for OutboundBreaker<H> {
    fn status(&self) -> CircuitStatus {
        let breakers: Vec<_> = lock(&self.circuits).iter().map(|(_, breaker)| breaker.clone()).collect();
        let snapshots: Vec<_> = breakers.iter().map(CircuitBreaker::snapshot).collect();
        let states = || snapshots.iter().map(|snapshot| CircuitState::from(snapshot.state));
        let worst = [CircuitState::Open, CircuitState::HalfOpen].into_iter().find(|bad| states().any(|s| s == *bad));
        let waits = snapshots.iter().map(|snapshot| snapshot.retry_after).filter(|wait| !wait.is_zero());
        CircuitStatus {
            name: self.name,
            state: worst.unwrap_or(CircuitState::Closed),
            retry_after: waits.min().unwrap_or(Duration::ZERO),
        }
    }
}

fn settle(permit: Permit, result: &Result<OutboundResponse, OutboundError>) {
    match result {
        Ok(response) if response.status >= 500 => permit.failure_because(format!("status {}", response.status)),
        Ok(_) => permit.success(),
        Err(error @ (OutboundError::Unavailable(_) | OutboundError::TooLarge)) => {
            permit.failure_because(error.to_string())
        }
        Err(_) => permit.neutral(),
    }
}

fn find(circuits: &VecDeque<(String, CircuitBreaker)>, destination: &str) -> Option<CircuitBreaker> {
    circuits.iter().find(|(name, _)| name == destination).map(|(_, breaker)| breaker.clone())
}

/// Returns the scheme, host and port of a URL, in lower case.
fn destination(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    let has_port = place.rsplit(']').next().is_some_and(|end| end.contains(':'));
    let port = match scheme {
        _ if has_port => "",
        "http" => ":80",
        _ => ":443",
    };
    format!("{scheme}://{place}{port}").to_ascii_lowercase()
}
