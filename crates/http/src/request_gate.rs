//! Serves one request at a time on a connection: later requests are held back until the response is
//! produced. The HTTP library decodes ahead and formats a response for the request it decoded last: a
//! slow `GET` followed by a `HEAD` would lose its body but keep its length. If a body is not read to
//! its end, the connection closes, because the library would keep receiving it without a limit.
//!
//! Only the library parses messages. The gate knows that a head, and a chunked body, ends with a blank
//! line, and how many bytes of a body were announced.

use crate::body::announced;
use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::ConnectionType;
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::web::Bytes;
use futures_util::Stream;
use std::cell::{Cell, OnceCell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

/// Bytes that a connection may pass on to the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ReadPermission {
    /// A head, up to a blank line.
    #[default]
    Head,
    /// At most this many bytes of a body.
    Bytes(u64),
    /// More of a chunked body, up to a blank line.
    Chunks,
    /// Nothing until the response is produced.
    Nothing,
    /// Nothing more: the connection ends.
    End,
}

/// Read permission of a connection, shared with the request that it serves.
#[derive(Debug, Default)]
pub(crate) struct RequestGate {
    wanted: Cell<ReadPermission>,
    /// True until a chunked body has ended.
    chunks_left: Cell<bool>,
    /// True if bytes are held back.
    behind: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    /// True if the client has closed its side, for jobs on other threads. Created on demand, since most
    /// connections never need it.
    departed: OnceCell<Arc<AtomicBool>>,
}

impl RequestGate {
    /// Returns a flag that is set once the client has closed its side, for jobs on other threads.
    pub(crate) fn half_closed_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(self.departed.get_or_init(Arc::default))
    }

    /// Records that the client closed its side while its request is served. TCP cannot distinguish a
    /// disconnected client from one that only sends nothing more (RFC 9293 §3.6), and nearly all have
    /// disconnected: work that waits for a permit is no longer started for them (RFC 9112 §9.5 lets
    /// servers respond to a close as appropriate). The response is sent regardless: a client that still
    /// waits gets it, or a 503.
    pub(crate) fn mark_half_closed(&self) {
        self.departed.get_or_init(Arc::default).store(true, Ordering::Relaxed);
    }

    pub(crate) fn wanted(&self) -> ReadPermission {
        self.wanted.get()
    }

    /// Registers the reader to be woken when it may go on. New data wakes it anyway.
    pub(crate) fn wait(&self, cx: &Context<'_>, behind: bool) {
        self.behind.set(behind);
        let mut reader = self.reader.borrow_mut();
        if reader.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            *reader = Some(cx.waker().clone());
        }
    }

    /// Counts bytes passed on to the library.
    pub(crate) fn handed(&self, count: usize) {
        if let ReadPermission::Bytes(rest) = self.wanted() {
            let rest = rest.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
            self.wanted.set(if rest == 0 { ReadPermission::Nothing } else { ReadPermission::Bytes(rest) });
        }
    }

    /// Returns whether the request has a body that was not read to its end.
    fn is_unread(&self) -> bool {
        self.chunks_left.get() || matches!(self.wanted(), ReadPermission::Bytes(_))
    }

    pub(crate) fn want(&self, wanted: ReadPermission) {
        let before = self.wanted.replace(wanted);
        let opens = match wanted {
            ReadPermission::Chunks => before == ReadPermission::Nothing && self.behind.get(),
            ReadPermission::Head => self.behind.get(),
            ReadPermission::End => true,
            ReadPermission::Bytes(_) | ReadPermission::Nothing => false,
        };
        if opens && let Some(waker) = &*self.reader.borrow() {
            waker.wake_by_ref();
        }
    }
}

/// A request that is being served. Dropping it admits the next one.
pub(crate) struct ServingGuard(Option<Rc<RequestGate>>);

impl ServingGuard {
    /// Takes the gate. Must run before everything else that handles the request.
    pub(crate) fn begin(request: &mut ServiceRequest) -> Self {
        let Some(turn) = request.conn_data::<Rc<RequestGate>>().cloned() else { return Self(None) };
        if request.headers().contains_key(TRANSFER_ENCODING) {
            turn.want(ReadPermission::Nothing);
            turn.chunks_left.set(true);
            let body = Chunked { payload: request.take_payload(), turn: Rc::clone(&turn) };
            request.set_payload(Payload::Stream { payload: Box::pin(body) });
        } else {
            let length = announced(request.headers()).unwrap_or_default();
            turn.want(if length == 0 { ReadPermission::Nothing } else { ReadPermission::Bytes(length) });
        }
        Self(Some(turn))
    }

    /// Holds the gate until the last byte of the response is produced.
    pub(crate) fn until_sent(self, mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        if self.0.as_ref().is_some_and(|turn| turn.is_unread()) {
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        response.map_body(|_, body| BoxBody::new(Answer { body, _serving: self }))
    }
}

impl Drop for ServingGuard {
    fn drop(&mut self) {
        if let Some(turn) = &self.0 {
            turn.want(if turn.is_unread() { ReadPermission::End } else { ReadPermission::Head });
        }
    }
}

/// Response body that holds the gate until it is dropped.
struct Answer {
    body: BoxBody,
    _serving: ServingGuard,
}

impl MessageBody for Answer {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

/// A chunked body, which marks its own end. The next part is passed on only while its reader waits for
/// it, so bytes after the end are never passed on.
struct Chunked {
    payload: Payload,
    turn: Rc<RequestGate>,
}

impl Stream for Chunked {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let outcome = Pin::new(&mut self.payload).poll_next(cx);
        self.turn.want(if outcome.is_pending() { ReadPermission::Chunks } else { ReadPermission::Nothing });
        self.turn.chunks_left.set(!matches!(outcome, Poll::Ready(None)));
        outcome
    }
}

impl Drop for Chunked {
    fn drop(&mut self) {
        if self.turn.wanted() == ReadPermission::Chunks {
            self.turn.want(ReadPermission::Nothing);
        }
    }
}

/// Finds blank lines in fragmented input. Lines end with LF or CR LF (RFC 9112 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum BlankLineScanner {
    /// The line has content.
    #[default]
    Begun,
    /// The line is empty so far.
    Empty,
    /// The line is a CR so far.
    Return,
}

impl BlankLineScanner {
    /// Scans further bytes. Returns how many there are up to the end of the first blank line, or
    /// `None`.
    pub(crate) fn up_to_blank(&mut self, bytes: &[u8]) -> Option<usize> {
        for (place, byte) in bytes.iter().enumerate() {
            let blank = *byte == b'\n' && *self != Self::Begun;
            *self = match (*byte, *self) {
                (b'\n', Self::Begun) => Self::Empty,
                (b'\r', Self::Empty) => Self::Return,
                _ => Self::Begun,
            };
            if blank {
                return Some(place + 1);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::BlankLineScanner;

    #[test]
    fn a_blank_line_is_found_wherever_the_parts_end() {
        for (text, end) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD", Some(27)),
            ("GET / HTTP/1.1\nHost: a\n\nHEAD", Some(24)),
            ("a\r\n\nb", Some(4)),
            ("a\n\r\nb", Some(4)),
            ("a\r\n\rb\r\n", None),
            ("\r\na\r\n", None),
            ("a\r\r\n", None),
        ] {
            for cut in 0..text.len() {
                let (mut line, (one, two)) = (BlankLineScanner::default(), text.split_at(cut));
                let first = line.up_to_blank(one.as_bytes());
                let found = first.or_else(|| line.up_to_blank(two.as_bytes()).map(|place| place + cut));
                assert_eq!(found, end, "{text:?} cut at {cut}");
            }
        }
    }
}
