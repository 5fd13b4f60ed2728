//! OTLP client: HTTP/1.1, one connection per request, a time limit on every step. TLS is not supported;
//! a local collector can add it.

use portcullis_ports::Clock;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// Maximum time to connect.
const CONNECT: Duration = Duration::from_secs(2);
/// Maximum time of a whole request: OpenTelemetry's default.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of response bytes read, for the status and the headers.
const MAX_HEAD: usize = 8 * 1024;
/// Default port.
const HTTP: u16 = 80;

/// URL of a collector's traces endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// An IPv6 address is without brackets.
    host: String,
    port: u16,
    path: String,
}

/// Reason why a text is not a valid [`Endpoint`]. Contains nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The scheme is missing or unsupported.
    #[error("is not an http URL")]
    Scheme,
    /// TLS is not supported.
    #[error("asks for TLS: give the address of a collector nearby, which speaks it for the service")]
    Tls,
    /// The URL contains a user or a password.
    #[error("holds a user or a password, which OTEL_EXPORTER_OTLP_HEADERS would hold")]
    User,
    /// The host is missing or invalid.
    #[error("has no valid host")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("has no valid port")]
    Port,
    /// The URL has a query, a fragment, or characters that are invalid in a path.
    #[error("has no plain path")]
    Path,
}

impl Endpoint {
    /// Parses the base URL of a collector and appends `/v1/traces`, as OpenTelemetry does.
    ///
    /// ```
    /// use portcullis_telemetry::{Endpoint, EndpointError};
    /// assert_eq!(Endpoint::parse("http://localhost:4318")?.to_string(), "http://localhost:4318/v1/traces");
    /// assert_eq!(Endpoint::parse("http://[::1]/otlp/")?.to_string(), "http://[::1]:80/otlp/v1/traces");
    /// assert_eq!(Endpoint::parse("https://example.org"), Err(EndpointError::Tls));
    /// # Ok::<(), EndpointError>(())
    /// ```
    ///
    /// # Errors
    /// Returns the [`EndpointError`] of the first invalid part.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let (scheme, rest) = text.split_once("://").ok_or(EndpointError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(EndpointError::Tls),
            _ => return Err(EndpointError::Scheme),
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(EndpointError::User);
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, read_port(port)?),
            _ => (authority, HTTP),
        };
        if path.bytes().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'?' | b'#')) {
            return Err(EndpointError::Path);
        }
        Ok(Self { host: read_host(host)?, port, path: format!("{}/v1/traces", path.trim_end_matches('/')) })
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

fn read_host(text: &str) -> Result<String, EndpointError> {
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().map(|_| inner.to_owned()).map_err(|_| EndpointError::Host);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let fits = (1..=253).contains(&text.len()) && text.bytes().all(plain);
    if fits { Ok(text.to_owned()) } else { Err(EndpointError::Host) }
}

fn read_port(text: &str) -> Result<u16, EndpointError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0).ok_or(EndpointError::Port)
}

/// A header sent with every request. Its value may be a secret and is hidden in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    name: String,
    value: String,
}

/// Error for a text that is not a list of headers. Contains nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a list of headers")]
pub struct HeadersError;

/// Headers that the exporter sets itself.
const OWN: [&str; 6] = ["host", "content-type", "content-length", "connection", "transfer-encoding", "user-agent"];

impl Header {
    /// Parses `name=value,name=value`. Values may be percent-encoded and must not contain line breaks.
    ///
    /// ```
    /// use portcullis_telemetry::Header;
    /// assert_eq!(Header::parse_list("authorization=Bearer%20a,x-scope-orgid=1").map(|list| list.len()), Ok(2));
    /// assert!(Header::parse_list("authorization").is_err());
    /// ```
    ///
    /// # Errors
    /// Returns [`HeadersError`] if the syntax is invalid, or if the exporter sets such a header itself.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, HeadersError> {
        text.split(',').map(|pair| Self::parse(pair).ok_or(HeadersError)).collect()
    }

    fn parse(pair: &str) -> Option<Self> {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim().to_ascii_lowercase(), decoded(value.trim())?);
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let named = !name.is_empty() && name.bytes().all(token) && !OWN.contains(&name.as_str());
        let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        (named && plain && !value.trim().is_empty()).then_some(Self { name, value })
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Decodes `%XX`. Keeps any other percent sign. Returns `None` if the result is not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let code = after.get(..2).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

/// Client that sends spans to a collector.
pub struct OtlpClient {
    endpoint: Endpoint,
    headers: Vec<Header>,
    clock: Arc<dyn Clock>,
}

/// Reason why a request failed.
#[derive(Debug)]
pub(super) struct SendError {
    pub(super) reason: String,
    /// Minimum delay before a retry, or `None` if a retry cannot help.
    pub(super) again: Option<Duration>,
}

impl SendError {
    fn of(error: &io::Error) -> Self {
        Self { reason: error.to_string(), again: Some(Duration::ZERO) }
    }
}

impl OtlpClient {
    /// Creates a client for that endpoint. `clock` measures the timeouts.
    #[must_use]
    pub fn new(endpoint: Endpoint, headers: Vec<Header>, clock: Arc<dyn Clock>) -> Self {
        Self { endpoint, headers, clock }
    }

    /// Sends spans, encoded in protocol buffers.
    pub(super) fn send(&self, body: &[u8]) -> Result<(), SendError> {
        let head = self.exchange(body).map_err(|error| SendError::of(&error))?;
        let Some(status) = status(&head) else {
            return Err(SendError { reason: "the answer is no HTTP".to_owned(), again: None });
        };
        let again = matches!(status, 429 | 502 | 503 | 504).then(|| retry_after(&head));
        if (200..300).contains(&status) { Ok(()) } else { Err(SendError { reason: format!("status {status}"), again }) }
    }

    /// Sends one request and returns the head of the response.
    fn exchange(&self, body: &[u8]) -> io::Result<String> {
        let deadline = self.clock.monotonic() + TIMEOUT;
        let mut stream = self.connect(deadline)?;
        let mut request = self.head(body.len());
        request.extend_from_slice(body);
        let mut rest = request.as_slice();
        while !rest.is_empty() {
            stream.set_write_timeout(Some(self.left(deadline)?))?;
            match stream.write(rest)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => rest = rest.get(written..).unwrap_or_default(),
            }
        }
        let (mut answer, mut part) = (Vec::new(), [0; 1024]);
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") && answer.len() < MAX_HEAD {
            stream.set_read_timeout(Some(self.left(deadline)?))?;
            let read = stream.read(&mut part)?;
            if read == 0 {
                break;
            }
            answer.extend_from_slice(part.get(..read).unwrap_or_default());
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    fn connect(&self, deadline: Duration) -> io::Result<TcpStream> {
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        let addresses: Vec<SocketAddr> = (self.endpoint.host.as_str(), self.endpoint.port).to_socket_addrs()?.collect();
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECT.min(self.left(deadline)?)) {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn head(&self, length: usize) -> Vec<u8> {
        let Endpoint { path, .. } = &self.endpoint;
        let (authority, version) = (self.endpoint.authority(), env!("CARGO_PKG_VERSION"));
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: portcullis/{version}\r\nConnection: close\r\n\
             Content-Type: application/x-protobuf\r\nContent-Length: {length}\r\n"
        );
        for Header { name, value } in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Returns the time left until the deadline, or a `TimedOut` error. Sockets reject a timeout of
    /// zero.
    fn left(&self, deadline: Duration) -> io::Result<Duration> {
        let left = deadline.saturating_sub(self.clock.monotonic());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl fmt::Debug for OtlpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpClient").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Returns the status of a response (RFC 9112 §4), or `None` if it is not HTTP.
fn status(head: &str) -> Option<u16> {
    let (version, rest) = head.split_once(' ')?;
    let code = rest.get(..3)?;
    (version.starts_with("HTTP/1.") && code.bytes().all(|byte| byte.is_ascii_digit())).then(|| code.parse().ok())?
}

/// Returns the value of `Retry-After` in whole seconds, or zero if it is missing or a date.
fn retry_after(head: &str) -> Duration {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut asked = fields.filter(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
    Duration::from_secs(asked.next().and_then(|(_, value)| value.trim().parse().ok()).unwrap_or_default())
}
