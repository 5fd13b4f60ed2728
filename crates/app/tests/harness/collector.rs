//! OpenTelemetry collector for tests. Accepts OTLP over HTTP/1.1 or, of gRPC, over HTTP/2, and parses it
//! with OpenTelemetry's own definitions.

use super::timing::eventually;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use native_tls::TlsAcceptor;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Collector behavior.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CollectorMode {
    /// Accepts and parses requests.
    Kind,
    /// Accepts connections but never responds.
    Silent,
    /// Responds that it is overloaded.
    Busy,
    /// Accepts gRPC calls instead.
    Grpc,
}

#[derive(Default)]
struct Received {
    heads: Vec<String>,
    bodies: Vec<Vec<u8>>,
    spans: Vec<Span>,
}

/// Collector that listens on its own port.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Received>>,
    manner: Arc<Mutex<CollectorMode>>,
}

impl Collector {
    pub(crate) fn start(manner: CollectorMode) -> Self {
        Self::start_with(manner, None)
    }

    /// Starts a collector that speaks TLS.
    pub(crate) fn start_with(manner: CollectorMode, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let collector =
            Self { address: listener.local_addr().unwrap(), received: Arc::default(), manner: Arc::new(manner.into()) };
        let (received, manner) = (Arc::clone(&collector.received), Arc::clone(&collector.manner));
        thread::spawn(move || {
            // Keeps unanswered connections open.
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let (stream, manner) = (stream.unwrap(), *manner.lock().unwrap());
                match manner {
                    CollectorMode::Silent => silent.push(stream),
                    // A client that disconnects early is not a failure of this process.
                    CollectorMode::Kind | CollectorMode::Busy => match &tls {
                        Some(tls) => drop(tls.accept(stream).map(|stream| serve(stream, manner, &received))),
                        None => drop(serve(stream, manner, &received)),
                    },
                    CollectorMode::Grpc => serve_grpc(stream, tls.clone(), &received),
                }
            }
        });
        collector
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn becomes(&self, manner: CollectorMode) {
        *self.manner.lock().unwrap() = manner;
    }

    /// Returns all spans received so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.received.lock().unwrap().spans.clone()
    }

    /// Returns the heads of all requests received so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.received.lock().unwrap().heads.clone()
    }

    /// Returns whether any request so far contained the text.
    pub(crate) fn was_told(&self, text: &str) -> bool {
        let received = self.received.lock().unwrap();
        let in_body = |body: &Vec<u8>| body.windows(text.len()).any(|window| window == text.as_bytes());
        received.bodies.iter().any(in_body) || received.heads.iter().any(|head| head.contains(text))
    }

    /// Waits for a trace's server span, which ends last, and returns all its spans.
    pub(crate) fn trace(&self, trace_id: &str) -> Trace {
        eventually("the trace is there", || {
            let spans = self.spans().into_iter().filter(|span| hex::encode(&span.trace_id) == trace_id);
            let trace = Trace(spans.collect());
            trace.0.iter().any(|span| span.kind == SERVER).then_some(trace)
        })
    }
}

/// OTLP kind of a server span.
const SERVER: i32 = 2;

fn serve(stream: impl Read + Write, manner: CollectorMode, received: &Mutex<Received>) -> std::io::Result<()> {
    let (mut reader, mut head) = (BufReader::new(stream), String::new());
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body)?;
    if manner == CollectorMode::Busy {
        return reader.into_inner().write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    }
    keep(head, body, received);
    reader.into_inner().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
}

fn keep(head: String, body: Vec<u8>, received: &Mutex<Received>) {
    let request = ExportTraceServiceRequest::decode(body.as_slice()).expect("OTLP");
    let mut received = received.lock().unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|of_resource| of_resource.scope_spans);
    received.spans.extend(scopes.flat_map(|of_scope| of_scope.spans));
    received.heads.push(head);
    received.bodies.push(body);
}

/// Serves the calls of one connection, until it ends.
fn serve_grpc(stream: TcpStream, tls: Option<TlsAcceptor>, received: &Mutex<Received>) {
    stream.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::from_std(stream).unwrap();
        match tls {
            Some(tls) => {
                let stream = tokio_native_tls::TlsAcceptor::from(tls).accept(stream).await.unwrap();
                serve_calls(h2::server::handshake(stream).await.unwrap(), received).await;
            }
            None => serve_calls(h2::server::handshake(stream).await.unwrap(), received).await,
        }
    });
}

async fn serve_calls<T>(mut connection: h2::server::Connection<T, bytes::Bytes>, received: &Mutex<Received>)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut calls = FuturesUnordered::new();
    loop {
        tokio::select! {
            call = connection.accept() => {
                let Some(Ok((request, respond))) = call else { return };
                calls.push(serve_call(request, respond, received));
            }
            Some(()) = calls.next() => {}
        }
    }
}

async fn serve_call(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<bytes::Bytes>,
    received: &Mutex<Received>,
) {
    let head = format!("{} {:?}", request.uri(), request.headers());
    let (mut body, mut message) = (request.into_body(), Vec::new());
    while let Some(part) = body.data().await {
        let part = part.unwrap();
        body.flow_control().release_capacity(part.len()).unwrap();
        message.extend_from_slice(&part);
    }
    // A call has one message, behind its length and a flag.
    keep(head, message.split_off(5), received);
    let answer = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut stream = respond.send_response(answer, false).unwrap();
    stream.send_data(bytes::Bytes::from_static(&[0; 5]), false).unwrap();
    let status = [("grpc-status", "0")].map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    stream.send_trailers(http::HeaderMap::from_iter(status)).unwrap();
}

/// Spans of one trace.
#[derive(Debug)]
pub(crate) struct Trace(pub(crate) Vec<Span>);

impl Trace {
    pub(crate) fn root(&self) -> &Span {
        let mut roots = self.0.iter().filter(|span| span.kind == SERVER);
        let root = roots.next().expect("a request");
        assert!(roots.next().is_none(), "more than one request: {self:?}");
        root
    }

    /// Renders the span tree by name: one span per line, children indented, in start order. Fails on a span
    /// that has no parent or outlasts its parent.
    pub(crate) fn tree(&self) -> String {
        let mut lines = String::new();
        let told = self.tell(self.root(), 0, &mut lines);
        assert_eq!(told, self.0.len(), "spans without a parent: {self:?}");
        lines
    }

    fn tell(&self, span: &Span, depth: usize, lines: &mut String) -> usize {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
        *lines += &format!("{}{}\n", "  ".repeat(depth), span.name);
        let mut within: Vec<_> = self.0.iter().filter(|child| child.parent_span_id == span.span_id).collect();
        within.sort_by_key(|child| child.start_time_unix_nano);
        let told: usize = within
            .iter()
            .map(|child| {
                assert!(child.start_time_unix_nano >= span.start_time_unix_nano, "{child:?} is before {span:?}");
                assert!(child.end_time_unix_nano <= span.end_time_unix_nano, "{child:?} is longer than {span:?}");
                self.tell(child, depth + 1, lines)
            })
            .sum();
        told + 1
    }

    pub(crate) fn named(&self, name: &str) -> &Span {
        self.0.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }
}

/// Returns an attribute's value as text, or `None` if the span does not have it.
pub(crate) fn attribute(span: &Span, key: &str) -> Option<String> {
    let value = |pair: &KeyValue| match pair.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        Value::DoubleValue(number) => Some(number.to_string()),
        other => panic!("{key}: {other:?}"),
    };
    span.attributes.iter().find(|pair| pair.key == key).and_then(value)
}
