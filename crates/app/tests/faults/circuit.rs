//! F16: an open circuit refuses at once and probes the database with one call at a time, regardless of the
//! load.

use crate::prelude::*;

const CROWD: usize = 40;

/// Makes concurrent calls that must all be refused and returns their times, shortest first. Uses logouts,
/// because concurrent refreshes share one database call.
fn crowd(service: &Service, pair: &Pair) -> Vec<Duration> {
    let mut times = at_once(CROWD, |_| {
        let (time, reply) = timed(|| service.logout(&pair.refresh));
        reply.expect_unavailable();
        time
    });
    times.sort_unstable();
    times
}

/// Counts the circuit's changes to a state.
fn changes(service: &Service, to: &str) -> usize {
    service.flushed_log();
    service.events("Circuit changed").iter().filter(|event| event["circuit"] == "database" && event["to"] == to).count()
}

#[test]
fn half_open_circuit_admits_one_probe() {
    let (server, service) = on_own_server();
    let (_, pair) = service.session();
    // Paused, not stopped: a query to it blocks.
    server.pause();
    crowd(&service, &pair);
    service.log.wait_for(1, |event| event["circuit"] == "database" && event["to"] == "open");
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
    assert_eq!(service.circuit(), "closed");
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
