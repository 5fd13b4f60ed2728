//! Raw connections, for requests that no correct client sends and for reading responses byte by byte.

use super::services::Service;
use super::timing::TIMEOUT;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// One TCP connection to the service.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// Response as received.
#[derive(Debug, Clone)]
pub(crate) struct RawReply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl RawReply {
    /// Returns a header field's value, or `None` if it is absent.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Connection {
    pub(crate) fn open(service: &Service) -> Self {
        Self::try_open(service).unwrap()
    }

    pub(crate) fn try_open(service: &Service) -> io::Result<Self> {
        Self::to(service.address)
    }

    pub(crate) fn to(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends a request with a JSON body and keeps the connection open.
    pub(crate) fn post(&mut self, path: &str, body: &str) -> io::Result<()> {
        let length = body.len();
        self.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// Closes the sending side.
    pub(crate) fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads the next response. `None` if the connection ended before its first byte.
    pub(crate) fn reply(&mut self) -> io::Result<Option<RawReply>> {
        let Some(mut reply) = self.reply_to_head()? else { return Ok(None) };
        if let Some(length) = reply.header("Content-Length") {
            let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            while self.received.len() < length {
                if self.fill()? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            reply.body = self.take(length)?;
        }
        Ok(Some(reply))
    }

    /// Reads the next response, which has no body.
    pub(crate) fn reply_to_head(&mut self) -> io::Result<Option<RawReply>> {
        let head = loop {
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                break self.take(end + 4)?;
            }
            if self.fill()? == 0 {
                return if self.received.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        };
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Some(RawReply { status, head, body: String::new() }))
    }

    /// Reads everything until the service closes the connection.
    pub(crate) fn rest(&mut self) -> String {
        while matches!(self.fill(), Ok(1..)) {}
        self.take(self.received.len()).unwrap()
    }

    /// Returns whether the service has closed the connection with nothing left to read.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.received.is_empty()
            && match self.fill() {
                Ok(count) => count == 0,
                Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            }
    }

    /// Closes the connection with a reset instead of an orderly end.
    pub(crate) fn tear(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).unwrap();
    }

    /// Returns whether data or the end of the connection arrives within that time.
    pub(crate) fn has_received_within(&mut self, time: Duration) -> bool {
        let _ = self.stream.set_read_timeout(Some(time));
        let outcome = self.fill();
        let _ = self.stream.set_read_timeout(Some(TIMEOUT));
        let waits = |error: &io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        !outcome.is_err_and(|error| waits(&error))
    }

    fn take(&mut self, count: usize) -> io::Result<String> {
        let rest = self.received.split_off(count);
        let taken = std::mem::replace(&mut self.received, rest);
        String::from_utf8(taken).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16384];
        let count = self.stream.read(&mut buffer)?;
        self.received.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

impl Service {
    /// Sends bytes on a fresh connection and returns every response until the service closes it.
    pub(crate) fn raw(&self, bytes: impl AsRef<[u8]>) -> Vec<RawReply> {
        let mut connection = Connection::open(self);
        // The service may respond and close before it has read everything.
        let _ = connection.send(bytes);
        connection.finish();
        std::iter::from_fn(|| connection.reply().ok().flatten()).collect()
    }
}
