//! Spans become what a collector reads: the right tree and the listed attributes. A collector that
//! fails costs only spans.

#![cfg(feature = "otlp")]
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed step fails the test")]

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use portcullis_telemetry::{Exporter, ExporterSettings, OtlpProtocol, TRACES, TraceSampler};
use prost::Message;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;
use tracing::field::Empty;
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt;

const TIMEOUT: Duration = Duration::from_secs(30);
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const ALL: TraceSampler = TraceSampler { ratio: 1.0, follows_callers: true };
const NONE: TraceSampler = TraceSampler { ratio: 0.0, follows_callers: true };

/// What the collector was sent.
struct Posted {
    head: String,
    body: Vec<u8>,
}

/// A collector that gives these answers, and the last of them from then on.
fn collector(answers: &[&'static str]) -> (String, Receiver<Posted>) {
    let (listener, answers) = (TcpListener::bind("127.0.0.1:0").unwrap(), answers.to_vec());
    let endpoint = format!("http://{}/base/v1/traces", listener.local_addr().unwrap());
    let (tell, told) = channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).unwrap();
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
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
    exporter: Exporter,
    told: Receiver<Posted>,
}

impl World {
    fn start(sampler: TraceSampler, answers: &[&'static str]) -> Self {
        let (endpoint, told) = collector(answers);
        let owned = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let exporter = Exporter::start(ExporterSettings {
            endpoint,
            protocol: OtlpProtocol::HttpProtobuf,
            headers: owned("x-key", "a b"),
            timeout: Duration::from_secs(10),
            resource: owned("service.name", "auth"),
            sampler,
        });
        Self { exporter: exporter.unwrap(), told }
    }

    /// Runs something whose spans are watched.
    fn watch(&self, work: impl FnOnce()) {
        with_default(tracing_subscriber::registry().with(self.exporter.layer()), work);
    }

    fn received(&self) -> Vec<Span> {
        let posted = self.told.recv_timeout(TIMEOUT).expect("a request");
        assert!(posted.head.starts_with("POST /base/v1/traces HTTP/1.1\r\n"), "{}", posted.head);
        for field in ["\r\ncontent-type: application/x-protobuf\r\n", "\r\nx-key: a b\r\n", "\r\nhost: 127.0.0.1:"] {
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
    let world = World::start(NONE, &[OK]);
    world.watch(|| {
        let request = server!(PARENT);
        request.in_scope(|| {
            // A span of another library in between is ignored.
            tracing::error_span!(target: "other", "between").in_scope(|| {
                tracing::error!(target: TRACES, "an event is not exported");
                let work = tracing::error_span!(
                    target: TRACES, "work", "error.type" = Empty, portcullis.lane.wait_seconds = 0.125
                );
                work.in_scope(|| ());
                work.record("error.type", "busy");
            });
        });
        request.record("error.type", "503");
        request.record("http.response.status_code", 503_i64);
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
    assert!(work.start_time_unix_nano < work.end_time_unix_nano, "{work:?}");
    assert!(request.start_time_unix_nano <= work.start_time_unix_nano, "{request:?}");
    assert!(request.end_time_unix_nano >= work.end_time_unix_nano, "{request:?}");
    let text = |text: &str| Value::StringValue(text.to_owned());
    let told =
        [("http.route", text("/a")), ("error.type", text("503")), ("http.response.status_code", Value::IntValue(503))];
    assert_eq!(attributes(request), told);
    let wait = Value::DoubleValue(0.125);
    assert_eq!(attributes(work), [("portcullis.lane.wait_seconds", wait), ("error.type", text("busy"))]);
    assert!([request, work].iter().all(|span| span.status.as_ref().unwrap().code == 2 && span.events.is_empty()));
}

#[test]
fn what_is_not_sampled_and_what_is_no_request_is_sent_nowhere() {
    let unsampled = PARENT.replace("-01", "-00");
    let all = World::start(ALL, &[OK]);
    all.watch(|| {
        tracing::error_span!(target: TRACES, "outside").in_scope(|| tracing::error_span!(target: TRACES, "within"));
        let quiet = server!(unsampled.as_str());
        quiet.in_scope(|| tracing::error_span!(target: TRACES, "quiet"));
        let call = tracing::error_span!(target: TRACES, parent: None, "call");
        call.follows_from(&quiet);
        call.in_scope(|| tracing::error_span!(target: TRACES, "in the call"));
    });
    let none = World::start(NONE, &[OK]);
    none.watch(|| drop(server!()));
    let regardless = World::start(TraceSampler { follows_callers: false, ..ALL }, &[OK]);
    regardless.watch(|| drop(server!(unsampled.as_str())));
    for (world, count) in [(all, 0), (none, 0), (regardless, 1)] {
        world.exporter.close(TIMEOUT);
        assert_eq!((world.exporter.sent()(), world.exporter.dropped()()), (count, 0));
    }
}

#[test]
fn what_is_no_traceparent_begins_a_trace() {
    let world = World::start(ALL, &[OK]);
    world.watch(|| {
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
    let world = World::start(ALL, &[OK]);
    world.watch(|| {
        let quiet = server!(PARENT.replace("-01", "-00").as_str());
        let requests = [server!(PARENT), server!()];
        let jobs =
            requests.each_ref().map(|request| tracing::error_span!(target: TRACES, parent: request, "lane", n = 1));
        let call = tracing::error_span!(target: TRACES, parent: None, "call", portcullis.batch.size = 3);
        for job in [&quiet, &jobs[0], &jobs[1]] {
            call.follows_from(job);
        }
        jobs[1].follows_from(&call);
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
fn what_may_be_sent_again_is_and_nothing_else() {
    const BUSY: &str = "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\n\r\n";
    let world = World::start(ALL, &[BUSY, OK]);
    world.watch(|| drop(server!()));
    assert_eq!(world.received(), world.received(), "the same once more");
    world.exporter.close(TIMEOUT);
    assert_eq!((world.exporter.sent()(), world.exporter.dropped()()), (1, 0));
    for answer in ["HTTP/1.1 400 Bad\r\n\r\n", "HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n"] {
        let world = World::start(ALL, &[answer]);
        world.watch(|| drop(server!()));
        world.received();
        world.exporter.close(TIMEOUT);
        assert!(world.told.try_recv().is_err(), "{answer} was tried again");
        assert_eq!((world.exporter.sent()(), world.exporter.dropped()()), (0, 1), "{answer}");
    }
}
