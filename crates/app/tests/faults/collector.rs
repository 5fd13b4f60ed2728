//! F36: requests never wait for the trace collector. If it is unavailable, silent or overloaded, only spans
//! are lost. The log and the metrics page report how many.

use crate::harness::collector::{Collector, CollectorMode};
use crate::prelude::*;
use std::net::TcpListener;

/// Shortest wait of the exporter itself.
const NO_WAIT: Duration = Duration::from_secs(1);
/// The 2 s allowed for the last spans, with a margin for a busy machine.
const END: Duration = Duration::from_secs(5);
/// One span each: more than the queue and the batches in flight hold.
const REQUESTS: u64 = 20_000;

struct Traced {
    service: Service,
    page: String,
}

impl Traced {
    fn start(endpoint: &str) -> Self {
        let setup = Backend::Sqlite.service().set("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        let service = setup.set("METRICS_ADDR", "127.0.0.1:0").start();
        Self { page: format!("{}/metrics", service.metrics_url()), service }
    }

    fn count(&self, what: &str) -> u64 {
        let text = agent(0).get(&self.page).call().unwrap().body_mut().read_to_string().unwrap();
        let name = format!("portcullis_trace_spans_{what}_total ");
        text.lines().find_map(|line| line.strip_prefix(&name)).expect("a count").parse().unwrap()
    }

    /// Runs requests of all kinds. None may wait.
    fn works(&self) {
        let (account, pair) = self.service.session();
        for _ in 0..20 {
            let (time, reply) = timed(|| self.service.login(&account.email, &account.password));
            assert!(reply.status == 200 && time < NO_WAIT, "{} in {time:?}", reply.status);
            let (time, reply) = timed(|| self.service.me(&pair.access));
            assert!(reply.status == 200 && time < NO_WAIT, "{} in {time:?}", reply.status);
        }
    }

    fn floods(&self) {
        let mut connection = Connection::to(self.service.address).unwrap();
        for _ in 0..REQUESTS / 50 {
            connection.send("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".repeat(50)).unwrap();
            for _ in 0..50 {
                assert_eq!(connection.reply().unwrap().expect("an answer").status, 404);
            }
        }
    }
}

const LOST: &str = "Traces cannot be delivered";
const BACK: &str = "Traces are delivered again; spans were dropped";

/// Checks a collector that is lost and comes back.
fn is_lost_and_comes_back(manner: CollectorMode) {
    let collector = Collector::start(manner);
    let traced = Traced::start(&collector.url());
    traced.works();
    traced.floods();
    traced.works();
    assert!(traced.count("dropped") > 0);
    collector.becomes(CollectorMode::Kind);
    traced.service.log.wait_for(1, |event| event["message"] == BACK);
    eventually("every span is delivered or dropped", || {
        (traced.count("sent") + traced.count("dropped") > REQUESTS).then_some(())
    });
    // A collector that came back before the last attempt was never reported as lost.
    assert!(traced.service.events(LOST).len() <= 1, "the loss is logged at most once");
    let told: u64 = traced.service.events(BACK).iter().map(|event| event["dropped"].as_u64().unwrap()).sum();
    assert_eq!(told, traced.count("dropped"));
    traced.service.stop();
    assert!(collector.spans().len() as u64 + told > REQUESTS);
}

#[test]
fn a_silent_collector_costs_spans_and_nothing_else() {
    is_lost_and_comes_back(CollectorMode::Silent);
}

#[test]
fn an_overloaded_collector_costs_spans_and_nothing_else() {
    is_lost_and_comes_back(CollectorMode::Busy);
}

#[test]
fn a_collector_that_is_gone_stops_neither_start_nor_end() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let traced = Traced::start(&format!("http://{gone}"));
    traced.works();
    traced.service.log.wait_for(1, |event| event["message"] == LOST);
    let (time, ()) = timed(|| traced.service.stop());
    assert!(time < END, "{time:?}");
}

#[test]
fn shutdown_gives_silent_collector_two_seconds_and_logs_loss() {
    let collector = Collector::start(CollectorMode::Silent);
    let traced = Traced::start(&collector.url());
    traced.works();
    let (time, ()) = timed(|| traced.service.stop());
    assert!(time < END, "{time:?}");
    assert_eq!(traced.service.events("The last spans were not delivered in time").len(), 1);
}
