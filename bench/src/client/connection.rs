//! Keep-alive connection that writes requests and reads responses, blocking or non-blocking.

use super::flows::Flow;
use super::http::{Answer, parse};
use anyhow::{Context, Result, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Maximum response time before the measurement fails.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    read: Vec<u8>,
    /// Number of bytes read into `read`.
    filled: usize,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).with_context(|| format!("{address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, out: Vec::with_capacity(1024), read: vec![0; 16 * 1024], filled: 0 })
    }

    /// Returns another handle of the socket, to poll several sockets at once.
    pub(crate) fn socket(&self) -> Result<TcpStream> {
        Ok(self.stream.try_clone()?)
    }

    /// Makes reads return at once if no data have arrived.
    pub(crate) fn set_nonblocking(&self) -> Result<()> {
        Ok(self.stream.set_nonblocking(true)?)
    }

    /// Sends the next request of the flow.
    pub(crate) fn send(&mut self, flow: &mut dyn Flow) -> Result<()> {
        self.out.clear();
        flow.request(&mut self.out);
        // A request is smaller than any socket buffer, so it is written whole.
        Ok(self.stream.write_all(&self.out)?)
    }

    /// Reads the available data and returns a response once it is complete. `body` returns its body
    /// until the next call.
    pub(crate) fn receive(&mut self) -> Result<Option<Answer>> {
        let room = self.read.get_mut(self.filled..).unwrap_or_default();
        ensure!(!room.is_empty(), "response of more than 16 KiB");
        let count = match self.stream.read(room) {
            Ok(0) => anyhow::bail!("the server closed the connection"),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        self.filled += count;
        let answer = parse(self.read.get(..self.filled).unwrap_or_default())?;
        if let Some(answer) = &answer {
            ensure!(answer.body.end == self.filled, "more than one response to one request");
            self.filled = 0;
        }
        Ok(answer)
    }

    /// Returns the body of the response that was just received.
    pub(crate) fn body(&self, answer: &Answer) -> &[u8] {
        self.read.get(answer.body.clone()).unwrap_or_default()
    }

    /// Returns the head of the response that was just received.
    pub(crate) fn head(&self, answer: &Answer) -> &[u8] {
        self.read.get(..answer.head).unwrap_or_default()
    }

    /// Sends the next request of the flow and passes the response to it.
    pub(crate) fn exchange(&mut self, flow: &mut dyn Flow) -> Result<()> {
        let answer = self.call(flow)?;
        flow.head(self.head(&answer));
        flow.answer(answer.status, self.body(&answer))
    }

    /// Like `exchange`, but returns the response to the caller.
    pub(crate) fn call(&mut self, flow: &mut dyn Flow) -> Result<Answer> {
        self.send(flow)?;
        loop {
            // A blocking read that times out returns nothing, like a non-blocking one.
            let before = self.filled;
            match self.receive()? {
                Some(answer) => return Ok(answer),
                None => ensure!(self.filled > before, "no response within {TIMEOUT:?}"),
            }
        }
    }
}
