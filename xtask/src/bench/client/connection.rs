//! One keep-alive connection: writes a request, reads an answer, blocking or as far as it goes.
//! What is asked is left to the flows.

use super::flows::Flow;
use super::http::{Answer, parse};
use anyhow::{Context, Result, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take before the measurement fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    read: Vec<u8>,
    /// What of `read` is filled.
    filled: usize,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(|| format!("{address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, out: Vec::with_capacity(1024), read: vec![0; 16 * 1024], filled: 0 })
    }

    /// Another handle of the socket, to wait for several at once.
    pub(crate) fn socket(&self) -> Result<TcpStream> {
        Ok(self.stream.try_clone()?)
    }

    /// Lets reads return at once where nothing has come.
    pub(crate) fn set_nonblocking(&self) -> Result<()> {
        Ok(self.stream.set_nonblocking(true)?)
    }

    /// Sends the flow's next request.
    pub(crate) fn send(&mut self, flow: &mut dyn Flow) -> Result<()> {
        self.out.clear();
        flow.request(&mut self.out);
        // A request is smaller than any socket's buffer, so it is taken whole.
        Ok(self.stream.write_all(&self.out)?)
    }

    /// Reads what has come; an answer once it is complete. Its body is to be had from `body`
    /// until the next call.
    pub(crate) fn receive(&mut self) -> Result<Option<Answer>> {
        let room = self.read.get_mut(self.filled..).unwrap_or_default();
        ensure!(!room.is_empty(), "an answer of more than 16 KiB");
        let count = match self.stream.read(room) {
            Ok(0) => anyhow::bail!("the server closed the connection"),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        self.filled += count;
        let answer = parse(self.read.get(..self.filled).unwrap_or_default())?;
        if let Some(answer) = &answer {
            ensure!(answer.body.end == self.filled, "more than one answer to one request");
            self.filled = 0;
        }
        Ok(answer)
    }

    /// The body of the answer that was just received.
    pub(crate) fn body(&self, answer: &Answer) -> &[u8] {
        self.read.get(answer.body.clone()).unwrap_or_default()
    }

    /// Sends the flow's next request and waits for the answer.
    pub(crate) fn exchange(&mut self, flow: &mut dyn Flow) -> Result<()> {
        let answer = self.call(flow)?;
        flow.answer(answer.status, self.body(&answer))
    }

    /// As `exchange`, with the answer for the caller to judge.
    pub(crate) fn call(&mut self, flow: &mut dyn Flow) -> Result<Answer> {
        self.send(flow)?;
        loop {
            // A blocking read that times out gives nothing, as a non-blocking one does.
            let before = self.filled;
            match self.receive()? {
                Some(answer) => return Ok(answer),
                None => ensure!(self.filled > before, "no answer within {PATIENCE:?}"),
            }
        }
    }
}
