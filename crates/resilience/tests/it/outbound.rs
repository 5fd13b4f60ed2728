//! Breakers around an HTTP client: a circuit for each destination.

use crate::{RECOVERY, Time};
use portcullis_domain::health::CircuitState;
use portcullis_ports::{CircuitMonitor, OutboundError, OutboundHttp, OutboundRequest, OutboundResponse};
use portcullis_resilience::OutboundBreaker;
use std::sync::{Arc, Mutex};

type Outcome = Result<OutboundResponse, OutboundError>;

/// Client with one result for all calls, which it counts.
#[derive(Clone, Default)]
struct Scripted {
    result: Arc<Mutex<Option<Outcome>>>,
    calls: Arc<Mutex<u32>>,
}

impl OutboundHttp for Scripted {
    fn call(&self, _: &OutboundRequest) -> Outcome {
        *self.calls.lock().unwrap() += 1;
        self.result.lock().unwrap().clone().unwrap()
    }
}

struct World {
    time: Time,
    scripted: Scripted,
    destinations: Arc<Mutex<Vec<String>>>,
    http: OutboundBreaker<Scripted>,
}

impl World {
    /// Creates a client whose circuits open after two failures.
    fn new() -> Self {
        let (time, scripted, destinations) = (Time::default(), Scripted::default(), Arc::default());
        let (clock, created) = (time.clone(), Arc::<Mutex<Vec<String>>>::clone(&destinations));
        let http = OutboundBreaker::new("providers", scripted.clone(), move |destination| {
            created.lock().unwrap().push(destination.to_owned());
            clock.breaker(2)
        });
        Self { time, scripted, destinations, http }
    }

    /// Calls a URL, where the client returns this.
    fn call(&self, url: &str, result: Outcome) -> Outcome {
        *self.scripted.result.lock().unwrap() = Some(result);
        self.http.call(&OutboundRequest::get(url))
    }

    fn state(&self) -> CircuitState {
        self.http.status().state
    }
}

fn status(status: u16) -> Outcome {
    Ok(OutboundResponse { status, date: None, body: Vec::new() })
}

fn down() -> Outcome {
    Err(OutboundError::Unavailable("connection refused".to_owned()))
}

#[test]
fn each_destination_has_its_own_circuit() {
    let world = World::new();
    assert_eq!(
        (world.call("https://a.example/1", down()), world.call("https://a.example/2", down())),
        (down(), down())
    );
    assert_eq!(world.call("https://A.example:443/3?q", status(200)), Err(OutboundError::CircuitOpen));
    for other in
        ["http://a.example/", "https://a.example:444/", "https://b.example/", "https://[::1]/", "https://[::1]:1/"]
    {
        assert_eq!(world.call(other, status(200)), status(200), "{other}");
    }
    assert_eq!(world.call("https://user:marker@a.example?marker", status(200)), Err(OutboundError::CircuitOpen));
    assert_eq!((world.http.status().name, world.http.status().retry_after), ("providers", RECOVERY));
    assert_eq!(world.state(), CircuitState::Open);
    let expected = "https://a.example:443 http://a.example:80 https://a.example:444 https://b.example:443 https://[::1]:443 \
                    https://[::1]:1";
    assert_eq!(world.destinations.lock().unwrap().join(" "), expected);
    world.time.pass(RECOVERY);
    assert_eq!(world.call("https://a.example", status(200)), status(200));
    assert_eq!(world.state(), CircuitState::Closed);
    assert_eq!(*world.scripted.calls.lock().unwrap(), 8, "refused calls are not made");
}

#[test]
fn outages_are_failures_and_refusals_count_for_nothing() {
    let forbidden = || Err(OutboundError::Forbidden("private".to_owned()));
    let opens = |results: &[Outcome]| {
        let world = World::new();
        for result in results {
            assert_eq!(world.call("https://a.example", result.clone()), *result);
        }
        world.state() == CircuitState::Open
    };
    for failure in [down(), Err(OutboundError::TooLarge), status(500), status(503)] {
        assert!(opens(&[failure.clone(), failure.clone()]), "{failure:?}");
        assert!(opens(&[failure.clone(), forbidden(), failure.clone()]), "{failure:?}");
        for success in [status(200), status(302), status(400), status(429)] {
            assert!(!opens(&[failure.clone(), success, failure.clone()]), "{failure:?}");
        }
    }
    assert!(!opens(&[forbidden(), forbidden(), forbidden()]));
}

#[test]
fn circuits_are_bounded() {
    let world = World::new();
    let url = |n: usize| format!("https://{n}.example/");
    let most = OutboundBreaker::<Scripted>::MAX_CIRCUITS;
    for _ in 0..2 {
        assert_eq!(world.call(&url(0), down()), down());
    }
    for n in 1..most {
        assert_eq!(world.call(&url(n), status(200)), status(200));
    }
    assert_eq!(world.call(&url(0), status(200)), Err(OutboundError::CircuitOpen));
    assert_eq!(world.call(&url(most), status(200)), status(200));
    assert_eq!(world.call(&url(0), status(200)), status(200), "the oldest circuit is replaced");
}
