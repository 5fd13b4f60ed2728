//! F22 and F23: a shutdown answers all requests in progress and exits with 0. A hang-up has no effect.

use crate::prelude::*;
use rustix::process::Signal;

on_both_databases!(
    sigterm_and_sigint_end_an_idle_service_with_exit_0,
    requests_in_flight_are_answered_in_full,
    every_request_received_under_load_is_answered,
    what_is_in_flight_has_shutdown_timeout_seconds,
    a_second_signal_ends_at_once,
    a_shutdown_delay_serves_on_and_is_not_ready,
    sighup_does_not_kill,
);

fn sigterm_and_sigint_end_an_idle_service_with_exit_0(backend: Backend) {
    for signal in [Signal::TERM, Signal::INT] {
        let service = backend.service().start();
        // An idle connection must not delay the exit (actix-web #929, #3169).
        let mut idle = Connection::open(&service);
        idle.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(idle.reply().unwrap().unwrap().status, 200);
        let (time, status) = timed(|| {
            service.signal(signal);
            service.wait()
        });
        assert_eq!(status.code(), Some(0), "{signal:?}: {}", service.errors.text());
        assert!(time < Duration::from_secs(10), "{signal:?} took {time:?}");
        assert!(idle.is_closed());
        assert_eq!(service.errors.text(), "");
    }
}

/// Starts slow logins: a hash at cost 12 takes about 250 ms in a test build. No machine is so slow that it
/// sheds two.
fn start_logins(service: &Service, count: usize) -> Vec<Connection> {
    let body = json!({"email": "a@example.com", "password": "does not matter"}).to_string();
    let login = |_| {
        let mut connection = Connection::open(service);
        connection.post("/auth/login", &body).unwrap();
        connection
    };
    let connections = (0..count).map(login).collect();
    service.log.wait_for(count, of_login("Request started"));
    connections
}

fn requests_in_flight_are_answered_in_full(backend: Backend) {
    let service = backend.service().set("BCRYPT_COST", "12").start();
    let mut logins = start_logins(&service, 2);
    service.signal(Signal::TERM);
    for login in &mut logins {
        let reply = login.reply().unwrap().expect("an answer to a request in flight");
        assert_eq!(reply.status, 401, "{reply:?}");
        assert!(reply.body.contains("AUTH_INVALID_CREDENTIALS"));
        assert!(reply.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close")), "{}", reply.head);
        assert!(login.is_closed());
    }
    assert_eq!(service.wait().code(), Some(0));
    assert!(Connection::try_open(&service).is_err(), "nobody listens any more");
}

fn every_request_received_under_load_is_answered(backend: Backend) {
    let service = backend.service().start();
    let (account, _) = service.session();
    let login = json!({"email": account.email, "password": account.password}).to_string();
    let (answered, stopping) = (AtomicUsize::new(0), AtomicBool::new(false));
    let before = service.log.wait_for(2, |event| event["message"] == "Request finished").len();
    thread::scope(|scope| {
        for number in 0..8 {
            let (service, login, answered, stopping) = (&service, &login, &answered, &stopping);
            scope.spawn(move || {
                while !stopping.load(Ordering::SeqCst) {
                    let Ok(mut connection) = Connection::try_open(service) else { return };
                    loop {
                        let sent = match number % 2 {
                            0 => connection.post("/auth/login", login),
                            _ => connection.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n"),
                        };
                        // A connection that closed without a response had received nothing. A partial
                        // response would be an error.
                        match sent.and_then(|()| connection.reply()) {
                            Ok(Some(reply)) => assert!(matches!(reply.status, 200 | 503), "{reply:?}"),
                            Ok(None) => break,
                            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => panic!("half an answer"),
                            Err(_) => break,
                        }
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        service.log.wait_for(400, |event| event["message"] == "Request finished");
        // The clients continue as long as they get responses.
        let (time, status) = timed(|| {
            service.signal(Signal::TERM);
            service.wait()
        });
        stopping.store(true, Ordering::SeqCst);
        assert!(time < Duration::from_secs(10), "{time:?}");
        assert_eq!(status.code(), Some(0), "{}", service.errors.text());
    });
    service.log.wait_for_end();
    let count = |message: &str| service.log.events().iter().filter(|event| event["message"] == message).count();
    let (started, finished) = (count("Request started"), count("Request finished"));
    assert_eq!(started, finished, "a request was begun and not ended");
    assert_eq!(finished - before, answered.load(Ordering::SeqCst), "a request was received and not answered");
}

fn what_is_in_flight_has_shutdown_timeout_seconds(backend: Backend) {
    let service = backend.service().set("BCRYPT_COST", "15").set("SHUTDOWN_TIMEOUT_SECONDS", "0").start();
    let mut logins = start_logins(&service, 2);
    service.signal(Signal::TERM);
    assert_eq!(service.wait().code(), Some(0));
    for login in &mut logins {
        assert!(!matches!(login.reply(), Ok(Some(_))), "it had the time of a hash");
    }
    let told =
        |event: &serde_json::Value| event["message"].as_str().is_some_and(|text| text.contains("still in flight"));
    assert_eq!(service.log.events().into_iter().filter(told).count(), 1);
}

fn a_second_signal_ends_at_once(backend: Backend) {
    let service = backend.service().set("BCRYPT_COST", "15").start();
    let mut logins = start_logins(&service, 2);
    service.signal(Signal::TERM);
    service.log.wait_for(1, |event| event["message"].as_str().is_some_and(|text| text.starts_with("Stopping")));
    service.signal(Signal::TERM);
    assert_eq!(service.wait().code(), Some(1));
    for login in &mut logins {
        assert!(!matches!(login.reply(), Ok(Some(_))), "it waited for a request in flight");
    }
}

fn a_shutdown_delay_serves_on_and_is_not_ready(backend: Backend) {
    let service = backend.service().set("SHUTDOWN_DELAY_SECONDS", "3600").start();
    let ready = || service.get("/health/ready");
    assert_eq!(ready().status, 200);
    service.signal(Signal::TERM);
    let announced = |event: &Value| event["message"].as_str().is_some_and(|text| text.starts_with("Not ready"));
    assert_eq!(service.log.wait_for(1, announced)[0]["seconds"], 3600);
    let stopping = ready();
    assert_eq!((stopping.status, &stopping.json()["status"]), (503, &json!("unavailable")), "{stopping:?}");
    assert!(stopping.header("Retry-After").is_some(), "{stopping:?}");
    let served = service.get("/health");
    assert_eq!((served.status, served.header("Connection")), (200, Some("close")), "a proxy must not reuse it");
    service.session();
    service.signal(Signal::TERM);
    assert_eq!(service.wait().code(), Some(1));

    let service = service.again().set("SHUTDOWN_DELAY_SECONDS", "1").start();
    let (time, status) = timed(|| {
        service.signal(Signal::INT);
        service.wait()
    });
    assert_eq!(status.code(), Some(0));
    assert!(time >= Duration::from_secs(1), "{time:?}");
}

fn sighup_does_not_kill(backend: Backend) {
    let service = backend.service().set("BCRYPT_COST", "12").start();
    let mut logins = start_logins(&service, 2);
    for _ in 0..20 {
        service.signal(Signal::HUP);
        assert_eq!(service.get("/health").status, 200);
    }
    let told = |event: &serde_json::Value| event["message"].as_str().is_some_and(|text| text.contains("restart"));
    service.log.wait_for(1, told);
    for login in &mut logins {
        assert_eq!(login.reply().unwrap().expect("an answer").status, 401);
    }
    service.stop();
    // Nor does it speed up or cancel a shutdown.
    let service = service.again().set("BCRYPT_COST", "12").start();
    let mut logins = start_logins(&service, 2);
    service.signal(Signal::TERM);
    service.log.wait_for(1, |event| event["message"].as_str().is_some_and(|text| text.starts_with("Stopping")));
    service.signal(Signal::HUP);
    for login in &mut logins {
        assert_eq!(login.reply().unwrap().expect("an answer").status, 401);
    }
    assert_eq!(service.wait().code(), Some(0));
}
