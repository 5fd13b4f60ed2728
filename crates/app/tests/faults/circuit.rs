//! F16: an open circuit refuses at once, and looks whether its database is
//! back with one call at a time, however many there are.

use crate::harness::accounts::{Pair, fresh_email};
use crate::harness::databases::Database;
use crate::harness::services::{Service, ServiceBuilder};
use crate::harness::timing::{eventually, long_form, timed};
use portcullis_testkit::postgres::Server;
use std::thread;
use std::time::Duration;

const CROWD: usize = 40;

/// How long each call of a crowd took, shortest first. Each is refused. Logouts: refreshes that come
/// at one time are one call.
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

/// How often the circuit has gone into that state.
fn changes(service: &Service, to: &str) -> usize {
    let of = |event: &&serde_json::Value| event["message"] == "Circuit changed" && event["to"] == to;
    service.flushed_log().events().iter().filter(of).count()
}

#[test]
fn of_a_crowd_at_a_half_open_circuit_one_call_asks_and_the_others_are_refused_at_once() {
    let server: &'static Server = Box::leak(Box::new(Server::start()));
    let service = ServiceBuilder::over(&Database::on(server)).start();
    let (_, pair) = service.session();
    // Frozen, not gone: who asks it, waits.
    server.pause();
    crowd(&service, &pair);
    service.log.wait_for(1, |event| event["message"] == "Circuit changed" && event["to"] == "open");
    for _ in 0..if long_form() { 5 } else { 1 } {
        // Of a crowd whose probe was somebody else's, such as a look for mail, nobody waits.
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

/// By the service's own clock. In the short form the quickest counts: the others may have waited
/// for a processor.
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
