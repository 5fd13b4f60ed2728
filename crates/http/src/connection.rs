//! A connection with the time limit that the HTTP library lacks: it bounds the headers of a
//! connection's first request only, and no body.

use actix_web::rt::net::TcpStream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// From a request's first byte to the answer's: its headers, its body, and the work.
const EXCHANGE: Duration = Duration::from_secs(40);
/// From an answer to the next request; the library's own limit comes first as a rule.
const IDLE: Duration = Duration::from_secs(80);

/// A TCP connection whose reading fails once it is overdue.
pub(crate) struct Connection {
    stream: TcpStream,
    deadline: Instant,
    /// Never later than the deadline. Moved only once it is over: moving it with every request
    /// would cost more than the rest of the watching.
    alarm: Pin<Box<Sleep>>,
    idle: bool,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        let alarm = Box::pin(sleep(EXCHANGE));
        Self { stream, deadline: alarm.deadline(), alarm, idle: false }
    }

    fn restart(&mut self, idle: bool) {
        self.idle = idle;
        self.deadline = Instant::now() + if idle { IDLE } else { EXCHANGE };
    }

    /// Whether the deadline is over; the task is woken when it will be.
    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        while self.alarm.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now >= self.deadline {
                return true;
            }
            // Any deadline that is set from now on is at least an exchange away.
            self.alarm.as_mut().reset(self.deadline.min(now + EXCHANGE));
        }
        false
    }

    fn written(&mut self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(outcome, Poll::Ready(Ok(1..))) {
            self.restart(true);
        }
        outcome
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.idle && buf.filled().len() > before {
            self.restart(false);
        }
        if outcome.is_pending() && self.is_overdue(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
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

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Connection::new(listener.accept().await.unwrap().0), client)
    }

    /// How long the server waits for the next byte.
    async fn patience(connection: &mut Connection) -> Duration {
        let began = Instant::now();
        let outcome = connection.read_u8().await.map_err(|error| error.kind());
        assert_eq!(outcome, Err(io::ErrorKind::TimedOut));
        began.elapsed()
    }

    #[actix_web::test]
    async fn a_request_is_overdue_from_its_first_byte_and_a_drip_does_not_help() {
        let (mut connection, mut client) = pair().await;
        tokio::time::pause();
        client.write_all(b"GE").await.unwrap();
        connection.read_u8().await.unwrap();
        tokio::time::advance(Duration::from_secs(30)).await;
        connection.read_u8().await.unwrap();
        assert!(patience(&mut connection).await < Duration::from_secs(11));
    }

    #[actix_web::test]
    async fn an_answer_starts_the_wait_for_the_next_request() {
        let (mut connection, mut client) = pair().await;
        tokio::time::pause();
        connection.write_all(b"answer").await.unwrap();
        client.write_all(b"G").await.unwrap();
        tokio::time::advance(Duration::from_secs(70)).await;
        connection.read_u8().await.unwrap();
        assert!(patience(&mut connection).await > Duration::from_secs(35));
    }
}
