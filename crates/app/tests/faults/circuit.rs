//! F16: an open circuit refuses at once and probes the database with one call at a time, regardless of the
//! load.

use crate::harness::accounts::{Pair, fresh_email};
use crate::harness::databases::Database;
use crate::harness::services::{Service, ServiceBuilder};
use crate::harness::timing::{eventually, long_form, timed};
use portcullis_testkit::postgres::Server;
use std::thread;
use std::time::Duration;

const CROWD: usize = 40;

/// Makes concurrent calls that must all be refused and returns their times, shortest first. Uses logouts,
/// because concurrent refreshes share one database call.
fn crowd(service: &Service, pair: &Pair) -> Vec<Duration> {
    let mut times: Vec<_> = thread::scope(|scope| {
        let call = |_| scope.spawn(|| timed(|| service.logout(&pair.refresh)));
        let calls: Vec<_> = (0..CROWD).map(call).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect::<Vec<_>>()
    })
    .into_iter()
    .map(|(time, reply)| {
        reply.expect_unavailable();
        time
    })
    .collect();
    times.sort_unstable();
    times
}

/// Counts the circuit's changes to a state.
fn changes(service: &Service, to: &str) -> usize {
    let of = |event: &&serde_json::Value| event["message"] == "Circuit changed" && event["to"] == to;
    service.flushed_log().events().iter().filter(of).count()
}

#[test]
fn half_open_circuit_admits_one_probe() {
    let server: &'static Server = Box::leak(Box::new(Server::start()));
    let service = ServiceBuilder::over(&Database::on(server)).start();
    let (_, pair) = service.session();
    // Paused, not stopped: a query to it blocks.
    server.pause();
    crowd(&service, &pair);
    service.log.wait_for(1, |event| event["message"] == "Circuit changed" && event["to"] == "open");
    for _ in 0..if long_form() { 5 } else { 1 } {
        // Retried, because the probe may be another call, such as a poll of the outbox. Then no logout waits.
        let times = eventually("a call is let through", || {
            let times = crowd(&service, &pair);
            (times[CROWD - 1] > Duration::from_secs(2)).then_some(times)
        });
        let (probe, refused) = times.split_last().unwrap();
        assert!(refused[CROWD - 2] * 2 < *probe, "more than one waited for the database: {times:?}");
        let probes = changes(&service, "half_open");
        assert_eq!(changes(&service, "open"), 1 + probes, "a probe that fails opens it again");
    }
    expect_quick_refusals(&service, &pair);
    server.resume();
    eventually("it heals", || (service.register(&fresh_email(), "long enough").status == 201).then_some(()));
    assert_eq!(service.get("/health/ready").expect(200)["circuits"]["database"]["state"], "closed");
}

/// Measured by the service itself. The short form checks the fastest refusal only, since others may have
/// waited for a processor.
fn expect_quick_refusals(service: &Service, pair: &Pair) {
    let mut millis: Vec<_> = (0..21)
        .map(|_| {
            let reply = service.refresh(&pair.refresh);
            reply.expect_unavailable();
            let events = service.log.of_request(reply.request_id());
            events.iter().find_map(|event| event["duration_ms"].as_f64()).unwrap()
        })
        .collect();
    millis.sort_unstable_by(f64::total_cmp);
    let one = millis[if long_form() { millis.len() / 2 } else { 0 }];
    assert!(one < 5.0, "a refusal takes {one} ms: {millis:?}");
}
