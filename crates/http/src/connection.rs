//! TCP connection with timeouts and pacing that the HTTP library lacks. The library limits only the
//! headers of a connection's first request, never a body, and decodes requests before earlier responses
//! are sent.

use crate::memory::{Received, RequestMemory};
use crate::request_gate::{BlankLineScanner, ReadPermission, RequestGate};
use actix_web::rt::net::TcpStream;
use std::io;
use std::mem::{MaybeUninit, take};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Phase of a connection, each with its own timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// From the first byte of a request to the end of its headers.
    Head,
    /// From the end of the headers to the first byte of the response: body and processing.
    Exchange,
    /// From a response to the next request.
    Idle,
    /// From the last response until the client closes.
    Closing,
}

/// Limit of [`Phase::Head`]. The library responds with 408 to a connection's first request if its own limit of
/// 10 s fires first.
const HEAD_LIMIT: Duration = Duration::from_secs(11);
/// Added to the keep-alive timeout, so that the library's own normally fires first.
const IDLE_MARGIN: Duration = Duration::from_secs(5);

impl Phase {
    const fn limit(self, keep_alive: Duration) -> Duration {
        match self {
            Self::Head => HEAD_LIMIT,
            Self::Exchange => Duration::from_secs(30),
            Self::Idle => keep_alive.saturating_add(IDLE_MARGIN),
            Self::Closing => Duration::from_secs(2),
        }
    }
}

/// Maximum bytes read ahead of the current request in one read.
const READ_AHEAD: usize = 1024;
/// Maximum bytes discarded while closing.
const MAX_DRAIN: usize = 1024 * 1024;

/// TCP connection that fails reads after a timeout and passes on one request at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    gate: Rc<RequestGate>,
    line: BlankLineScanner,
    /// True if the bytes last passed on ended a message part. The library must process them before it
    /// reads more, but by itself it reads as long as data is available.
    ended: bool,
    /// Bytes received but not permitted yet.
    read_ahead: Vec<u8>,
    phase: Phase,
    /// Maximum time between two requests.
    keep_alive: Duration,
    deadline: Instant,
    /// Timer that fires at the deadline or earlier. If it fires early, it is re-armed: resetting it in
    /// every phase would cost more than all other bookkeeping.
    timer: Pin<Box<Sleep>>,
    /// Bytes that may still be discarded.
    drain_left: usize,
    /// Memory accounting of the current request.
    received: Received,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, memory: Arc<RequestMemory>, keep_alive: Duration) -> Self {
        let (phase, alarm) = (Phase::Head, Box::pin(sleep(HEAD_LIMIT)));
        let (turn, line, held, received) =
            (Rc::default(), BlankLineScanner::default(), Vec::new(), Received::new(memory));
        Self {
            stream,
            gate: turn,
            line,
            ended: false,
            read_ahead: held,
            phase,
            keep_alive,
            deadline: alarm.deadline(),
            timer: alarm,
            drain_left: MAX_DRAIN,
            received,
        }
    }

    /// Returns the gate shared with the request being served.
    pub(crate) fn request_gate(&self) -> Rc<RequestGate> {
        Rc::clone(&self.gate)
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.deadline = Instant::now() + phase.limit(self.keep_alive);
        if self.deadline < self.timer.deadline() {
            self.timer.as_mut().reset(self.deadline);
        }
    }

    /// Returns whether the deadline has passed. If not, the task is woken when it does.
    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now >= self.deadline {
                return true;
            }
            // At most the limit of `Head` ahead, so that only shorter phases must move the timer.
            let alarm = self.deadline.min(now + HEAD_LIMIT);
            self.timer.as_mut().reset(alarm);
        }
        false
    }

    /// Passes on the permitted bytes, from the buffer if it has any, otherwise from the socket.
    fn poll_wanted(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.gate.wanted() == ReadPermission::End {
            return Poll::Ready(Ok(()));
        }
        if take(&mut self.ended) || self.gate.wanted() == ReadPermission::Nothing {
            return self.poll_ahead(cx);
        }
        let before = buf.filled().len();
        let count = if self.read_ahead.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
            let come = buf.filled().get(before..).unwrap_or_default();
            if !self.received.add(come.len()) {
                return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
            }
            let count = self.cut(come);
            self.read_ahead.extend_from_slice(come.get(count..).unwrap_or_default());
            buf.set_filled(before + count);
            count
        } else {
            let mut held = take(&mut self.read_ahead);
            let room = held.len().min(buf.remaining());
            let count = self.cut(held.get(..room).unwrap_or_default());
            buf.put_slice(held.get(..count).unwrap_or_default());
            held.drain(..count);
            self.read_ahead = if held.is_empty() { Vec::new() } else { held };
            count
        };
        self.gate.handed(count);
        Poll::Ready(Ok(()))
    }

    /// Returns how many of these bytes may be passed on.
    fn cut(&mut self, bytes: &[u8]) -> usize {
        if let ReadPermission::Bytes(rest) = self.gate.wanted() {
            return usize::try_from(rest).map_or(bytes.len(), |rest| rest.min(bytes.len()));
        }
        let end = self.line.up_to_blank(bytes);
        self.ended = end.is_some();
        end.unwrap_or(bytes.len())
    }

    /// Passes on nothing, but detects that the client closed its side, unless more data came before.
    /// The library treats this end of file only as the end of the requests, and finishes the current
    /// one.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.read_ahead.is_empty() {
            let mut space = [MaybeUninit::uninit(); READ_AHEAD];
            let mut space = ReadBuf::uninit(&mut space);
            if Pin::new(&mut self.stream).poll_read(cx, &mut space)?.is_ready() {
                if space.filled().is_empty() {
                    self.gate.mark_half_closed();
                    return Poll::Ready(Ok(()));
                }
                self.read_ahead.extend_from_slice(space.filled());
            }
        }
        if !self.read_ahead.is_empty() && self.gate.wanted() != ReadPermission::Nothing {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Discards received bytes. Returns whether the end of the stream or the limit was reached.
    fn throw_away(&mut self, cx: &mut Context<'_>) -> bool {
        let mut space = [MaybeUninit::uninit(); READ_AHEAD];
        while self.drain_left > 0 {
            let mut space = ReadBuf::uninit(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut space) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) if !space.filled().is_empty() => {
                    self.drain_left = self.drain_left.saturating_sub(space.filled().len());
                }
                Poll::Ready(_) => return true,
            }
        }
        true
    }

    fn written(&mut self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(outcome, Poll::Ready(Ok(1..))) {
            self.enter(Phase::Idle);
            self.received.clear();
            self.received.add(self.read_ahead.len());
        }
        outcome
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = self.poll_wanted(cx, buf);
        if self.phase == Phase::Idle && buf.filled().len() > before {
            self.enter(Phase::Head);
        } else if self.phase == Phase::Head && self.gate.wanted() != ReadPermission::Head {
            self.enter(Phase::Exchange);
        }
        if outcome.is_pending() {
            self.gate.wait(cx, !self.read_ahead.is_empty());
            if self.is_overdue(cx) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        outcome
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closes the sending side and discards further input. Closing a socket with unread data resets the
    /// connection, and the client may lose the last response. A client whose body was cut off gets up
    /// to 2 s to notice.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.phase != Phase::Closing {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.enter(Phase::Closing);
        }
        if self.throw_away(cx) || self.gate.wanted() != ReadPermission::End {
            return Poll::Ready(Ok(()));
        }
        if self.is_overdue(cx) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Connection::new(listener.accept().await.unwrap().0, Arc::default(), Duration::from_secs(75)), client)
    }

    /// Returns how long the server waits for the next byte.
    async fn patience(connection: &mut Connection) -> Duration {
        let began = Instant::now();
        let outcome = connection.read_u8().await.map_err(|error| error.kind());
        assert_eq!(outcome, Err(io::ErrorKind::TimedOut));
        began.elapsed()
    }

    #[actix_web::test]
    async fn header_timeout_starts_at_first_byte_and_ignores_dripping() {
        for answered in [false, true] {
            let (mut connection, mut client) = pair().await;
            tokio::time::pause();
            if answered {
                connection.write_all(b"answer").await.unwrap();
            }
            client.write_all(b"GE").await.unwrap();
            connection.read_u8().await.unwrap();
            tokio::time::advance(Duration::from_secs(8)).await;
            connection.read_u8().await.unwrap();
            assert!(patience(&mut connection).await < Duration::from_secs(4));
            tokio::time::resume();
        }
    }

    #[actix_web::test]
    async fn an_answer_starts_the_wait_for_the_next_request() {
        let (mut connection, mut client) = pair().await;
        tokio::time::pause();
        connection.write_all(b"answer").await.unwrap();
        client.write_all(b"G").await.unwrap();
        tokio::time::advance(Duration::from_secs(70)).await;
        connection.read_u8().await.unwrap();
        assert!(patience(&mut connection).await > Duration::from_secs(10));
    }

    #[actix_web::test]
    async fn a_close_behind_a_request_is_told_to_its_work() {
        let (mut connection, mut client) = pair().await;
        let departed = connection.request_gate().half_closed_flag();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut space = [0; 64];
        assert_eq!(connection.read(&mut space).await.unwrap(), 18);
        connection.request_gate().want(ReadPermission::Nothing);
        assert!(!departed.load(Ordering::Relaxed));
        drop(client);
        assert_eq!(connection.read(&mut space).await.unwrap(), 0);
        assert!(departed.load(Ordering::Relaxed));
    }

    #[actix_web::test]
    async fn nothing_is_handed_on_past_a_blank_line_in_one_go() {
        let (mut connection, mut client) = pair().await;
        client.write_all(b"GET / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\nP").await.unwrap();
        for part in ["GET / HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.1\r\n\r\n", "P"] {
            let mut space = [0; 64];
            let count = connection.read(&mut space).await.unwrap();
            assert_eq!(str::from_utf8(&space[..count]), Ok(part));
        }
    }
}
