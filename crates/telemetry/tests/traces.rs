//! Spans become what a collector reads: the right tree, times and listed attributes. A collector that
//! fails costs only spans.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed step fails the test")]

use chrono::{DateTime, TimeDelta};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use portcullis_telemetry::{Endpoint, Exporter, Header, OtlpClient, Resource, Sampler, TRACES};
use portcullis_testkit::{FixedClock, SeededEntropy};
use prost::Message;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;
use tracing::field::Empty;
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt;

const TIMEOUT: Duration = Duration::from_secs(30);
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const START: i64 = 1_771_410_600;

/// What the collector was sent.
struct Posted {
    head: String,
    body: Vec<u8>,
}

/// A collector that gives these answers, and the last of them from then on.
fn collector(answers: &[&'static str]) -> (Endpoint, Receiver<Posted>) {
    let (listener, answers) = (TcpListener::bind("127.0.0.1:0").unwrap(), answers.to_vec());
    let endpoint = Endpoint::parse(&format!("http://{}/base/", listener.local_addr().unwrap())).unwrap();
    let (tell, told) = channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).unwrap();
            }
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            if tell.send(Posted { head, body }).is_err() {
                return;
            }
            let answer = answers.get(number).or(answers.last()).unwrap();
            reader.into_inner().write_all(answer.as_bytes()).unwrap();
        }
    });
    (endpoint, told)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

struct World {
    clock: Arc<FixedClock>,
    exporter: Exporter,
    told: Receiver<Posted>,
}

impl World {
    fn start(answers: &[&'static str]) -> Self {
        let (endpoint, told) = collector(answers);
        let clock = Arc::new(FixedClock::at(DateTime::from_timestamp(START, 5).unwrap()));
        let collector = OtlpClient::new(endpoint, Header::parse_list("x-key=a%20b").unwrap(), clock.clone());
        let [service, version, instance] = ["auth", "1.2.3", "one"].map(str::to_owned);
        let exporter = Exporter::start(collector, Resource { service, version, instance }).unwrap();
        Self { clock, exporter, told }
    }

    /// Runs something whose spans are watched.
    fn watch(&self, sampler: Sampler, work: impl FnOnce()) {
        let layer = self.exporter.layer(sampler, self.clock.clone(), Arc::new(SeededEntropy::new(7)));
        with_default(tracing_subscriber::registry().with(layer), work);
    }

    fn received(&self) -> Vec<Span> {
        let posted = self.told.recv_timeout(TIMEOUT).expect("a request");
        assert!(posted.head.starts_with("POST /base/v1/traces HTTP/1.1\r\n"), "{}", posted.head);
        for field in ["\r\nContent-Type: application/x-protobuf\r\n", "\r\nx-key: a b\r\n", "\r\nHost: 127.0.0.1:"] {
            assert!(posted.head.contains(field), "{}", posted.head);
        }
        let request = ExportTraceServiceRequest::decode(posted.body.as_slice()).unwrap();
        let [of_resource] = &request.resource_spans[..] else { panic!("{request:?}") };
        let resource = of_resource.resource.as_ref().unwrap();
        let service = resource.attributes.iter().find(|pair| pair.key == "service.name").unwrap();
        assert_eq!(service.value.as_ref().unwrap().value, Some(Value::StringValue("auth".to_owned())));
        let [of_scope] = &of_resource.scope_spans[..] else { panic!("{request:?}") };
        assert_eq!(of_scope.scope.as_ref().unwrap().name, "portcullis");
        of_scope.spans.clone()
    }
}

/// The span of a request.
macro_rules! server {
    ($($traceparent:expr)?) => {
        tracing::error_span!(
            target: TRACES, "request", request_id = "r1", secret = "marker", otel.kind = "server", otel.name = "GET /a",
            $(traceparent = $traceparent,)? http.route = "/a", http.response.status_code = Empty, "error.type" = Empty
        )
    };
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name}: {spans:?}"))
}

fn attributes(span: &Span) -> Vec<(&str, Value)> {
    let pairs = span.attributes.iter();
    pairs.map(|pair| (pair.key.as_str(), pair.value.clone().unwrap().value.unwrap())).collect()
}

#[test]
fn a_request_is_a_tree_that_goes_on_with_its_callers() {
    let world = World::start(&[OK]);
    world.watch(Sampler::new(0.0), || {
        let request = server!(PARENT);
        world.clock.advance(Duration::from_millis(1));
        request.in_scope(|| {
            // A span of another library in between is ignored.
            tracing::error_span!(target: "other", "between").in_scope(|| {
                let work = tracing::error_span!(target: TRACES, "work", "error.type" = Empty);
                world.clock.advance(Duration::from_millis(2));
                // The wall clock is set back during the request.
                world.clock.set(DateTime::from_timestamp(START, 0).unwrap() - TimeDelta::hours(1));
                work.record("error.type", "busy");
            });
        });
        request.record("error.type", "503");
        request.record("http.response.status_code", 503_u16);
        world.clock.advance(Duration::from_secs(9));
    });
    world.exporter.close(TIMEOUT);
    let spans = world.received();
    let (request, work) = (named(&spans, "GET /a"), named(&spans, "work"));
    assert_eq!(spans.len(), 2);
    let ids = [&request.trace_id, &request.parent_span_id].map(hex::encode);
    assert_eq!(ids, [&PARENT[3..35], &PARENT[36..52]]);
    assert_eq!((&work.trace_id, &work.parent_span_id), (&request.trace_id, &request.span_id));
    assert_ne!(work.span_id, request.span_id);
    assert_eq!((request.kind, work.kind), (2, 1), "a server's, and an internal one");
    assert_eq!((request.flags, work.flags), (0x301, 0x101));
    let start = u64::try_from(START).unwrap() * 1_000_000_000 + 5;
    assert_eq!((request.start_time_unix_nano, request.end_time_unix_nano), (start, start + 3_000_000));
    assert_eq!((work.start_time_unix_nano, work.end_time_unix_nano), (start + 1_000_000, start + 3_000_000));
    let text = |text: &str| Value::StringValue(text.to_owned());
    let told =
        [("http.route", text("/a")), ("error.type", text("503")), ("http.response.status_code", Value::IntValue(503))];
    assert_eq!(attributes(request), told);
    assert_eq!(attributes(work), [("error.type", text("busy"))]);
    assert!([request, work].iter().all(|span| span.status.as_ref().unwrap().code == 2));
}

#[test]
fn what_is_not_sampled_and_what_is_no_request_is_sent_nowhere() {
    let world = World::start(&[OK]);
    let unsampled = PARENT.replace("-01", "-00");
    world.watch(Sampler::new(1.0), || {
        tracing::error_span!(target: TRACES, "outside").in_scope(|| tracing::error_span!(target: TRACES, "within"));
        let quiet = server!(unsampled.as_str());
        quiet.in_scope(|| tracing::error_span!(target: TRACES, "quiet"));
        let call = tracing::error_span!(target: TRACES, parent: None, "call");
        call.follows_from(&quiet);
        call.in_scope(|| tracing::error_span!(target: TRACES, "in the call"));
    });
    world.watch(Sampler::new(0.0), || drop(server!()));
    world.watch(Sampler::new(1.0).regardless_of_callers(), || drop(server!(unsampled.as_str())));
    world.exporter.close(TIMEOUT);
    let [only] = &world.received()[..] else { panic!("more than one") };
    assert_eq!(only.name, "GET /a");
    assert_eq!((world.exporter.sent()(), world.exporter.dropped()()), (1, 0));
}

#[test]
fn what_is_no_traceparent_begins_a_trace() {
    let world = World::start(&[OK]);
    world.watch(Sampler::new(1.0), || {
        drop(server!());
        drop(server!(PARENT.to_uppercase().as_str()));
        drop(server!("marker"));
    });
    world.exporter.close(TIMEOUT);
    let spans = world.received();
    assert!(spans.iter().all(|span| span.parent_span_id.is_empty() && span.flags == 0x101), "{spans:?}");
    let traces: std::collections::HashSet<_> = spans.iter().map(|span| &span.trace_id).collect();
    assert_eq!(traces.len(), 3);
}

#[test]
fn batch_call_joins_the_first_trace_and_links_to_the_others() {
    let world = World::start(&[OK]);
    world.watch(Sampler::new(1.0), || {
        let quiet = server!(PARENT.replace("-01", "-00").as_str());
        let requests = [server!(PARENT), server!()];
        let jobs =
            requests.each_ref().map(|request| tracing::error_span!(target: TRACES, parent: request, "lane", n = 1));
        let call = tracing::error_span!(target: TRACES, parent: None, "call", portcullis.batch.size = 3);
        for job in [&quiet, &jobs[0], &jobs[1]] {
            call.follows_from(job);
            job.follows_from(&call);
        }
        world.clock.advance(Duration::from_millis(1));
        call.in_scope(|| tracing::error_span!(target: TRACES, "rotate"));
    });
    world.exporter.close(TIMEOUT);
    let spans = world.received();
    assert_eq!(spans.len(), 6);
    let (call, rotate) = (named(&spans, "call"), named(&spans, "rotate"));
    let lanes: Vec<_> = spans.iter().filter(|span| span.name == "lane").collect();
    let (first, second) = if lanes[0].trace_id == call.trace_id { (lanes[0], lanes[1]) } else { (lanes[1], lanes[0]) };
    assert_eq!((&call.trace_id, &call.parent_span_id), (&first.trace_id, &first.span_id));
    assert_eq!(rotate.parent_span_id, call.span_id);
    assert_ne!(second.trace_id, call.trace_id);
    fn linked(span: &Span) -> Vec<&Vec<u8>> {
        span.links.iter().map(|link| &link.span_id).collect()
    }
    assert_eq!(linked(call), [&second.span_id]);
    assert_eq!(linked(second), [&call.span_id]);
    assert!(linked(first).is_empty(), "it is the parent");
    assert_eq!(call.links[0].trace_id, second.trace_id);
}

#[test]
fn numbers_arrive_as_they_were() {
    let world = World::start(&[OK]);
    let numbers = [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), i64::MAX.unsigned_abs()];
    world.watch(Sampler::new(1.0), || {
        server!().in_scope(|| {
            for number in numbers {
                let _span = tracing::error_span!(
                    target: TRACES, "n", portcullis.batch.size = number, portcullis.lane.wait_seconds = 0.125
                );
            }
        });
    });
    world.exporter.close(TIMEOUT);
    let spans = world.received();
    let told: Vec<_> = spans.iter().filter(|span| span.name == "n").map(attributes).collect();
    let expected = numbers.map(|number| {
        let number = Value::IntValue(number.try_into().unwrap());
        vec![("portcullis.batch.size", number), ("portcullis.lane.wait_seconds", Value::DoubleValue(0.125))]
    });
    assert_eq!(told, expected);
}

#[test]
fn what_may_be_sent_again_is_and_nothing_else() {
    const BUSY: &str = "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\n\r\n";
    let world = World::start(&[BUSY, OK]);
    world.watch(Sampler::new(1.0), || drop(server!()));
    assert_eq!(world.received(), world.received(), "the same once more");
    world.exporter.close(TIMEOUT);
    assert_eq!((world.exporter.sent()(), world.exporter.dropped()()), (1, 0));
    for answer in
        ["HTTP/1.1 400 Bad\r\n\r\n", "HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", "SSH-2.0 200 \r\n\r\n", "HTTP/1.1"]
    {
        let world = World::start(&[answer]);
        world.watch(Sampler::new(1.0), || drop(server!()));
        world.received();
        world.exporter.close(TIMEOUT);
        assert!(world.told.try_recv().is_err(), "{answer} was tried again");
        assert_eq!((world.exporter.sent()(), world.exporter.dropped()()), (0, 1), "{answer}");
    }
}
