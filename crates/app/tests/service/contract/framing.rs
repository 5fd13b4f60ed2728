//! Invalid HTTP messages (RFC 9112) get a bare response, and the connection closes. Parsing is unambiguous
//! and bounded. `tests/faults` covers slow, endless and pipelined requests.

use crate::harness::sockets::{Connection, RawReply};
use crate::prelude::*;

on_both_databases!(
    what_is_not_http_gets_a_bare_400_and_is_cut_off,
    a_bad_chunk_ends_the_connection,
    transfer_encoding_overrides_length_and_closes_connection,
    too_large_a_head_is_431,
    no_answer_ever_passes_for_two,
    pipelined_requests_are_answered_in_order,
    an_expectation_is_met,
);

/// Returns the only response to bytes after which the service must close the connection.
fn refused(service: &Service, bytes: &[u8]) -> Option<RawReply> {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let mut connection = Connection::open(service);
    let _ = connection.send(bytes);
    let reply = connection.reply().unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert!(connection.is_closed(), "still open, or a second answer: {shown}");
    reply
}

fn expect_bare(service: &Service, bytes: impl AsRef<[u8]>, status: u16) {
    let bytes = bytes.as_ref();
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let reply = refused(service, bytes).unwrap_or_else(|| panic!("no answer: {shown}"));
    assert_eq!((reply.status, reply.body.as_str()), (status, ""), "{shown}");
}

fn what_is_not_http_gets_a_bare_400_and_is_cut_off(service: &Service) {
    let messages: [&[u8]; 13] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/3.7\r\nHost: a\r\n\r\n",
        b"G\x00T /health HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /hea\x00lth HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: b\x00c\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: b\rc: d\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
    ];
    messages.iter().for_each(|message| expect_bare(service, message, 400));
    // Messages of two readings.
    for field in [
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2, 3",
        "Content-Length: +2",
        "Content-Length: -2",
        "Content-Length: 0x2",
        "Content-Length: 2 2",
        "Content-Length: ",
        "Content-Length: 99999999999999999999999",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
    ] {
        let head = "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json";
        expect_bare(service, format!("{head}\r\n{field}\r\n\r\n{{}}"), 400);
    }
    for fields in
        ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nHost: a\r\n", "Host: a b\r\n", "Host: a/b\r\n", "Host: a@b\r\n"]
    {
        expect_bare(service, format!("GET /health HTTP/1.1\r\n{fields}\r\n"), 400);
    }
    for host in ["a", "a:80", "[::1]:8000", "127.0.0.1", "example.com.", "a-b.example:8443"] {
        let message = format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(service.raw(message)[0].status, 200, "{host}");
    }
    assert_eq!(service.raw("GET /health HTTP/1.0\r\n\r\n")[0].status, 200, "HTTP/1.0 knows no Host");
}

fn a_bad_chunk_ends_the_connection(service: &Service) {
    let head =
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = [
        "x\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}XX0\r\n\r\n",
        "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "2\n{}\n0\n\n",
    ];
    for body in chunks {
        let reply = refused(service, format!("{head}{body}").as_bytes());
        if let Some(reply) = reply {
            assert!(matches!(reply.status, 400 | 413 | 422), "{body:?}: {reply:?}");
        }
    }
    let good = format!("{head}1\r\n{{\r\n1;name=value\r\n}}\r\n0\r\n\r\n");
    let mut connection = Connection::open(service);
    connection.send(good).unwrap();
    assert_eq!(connection.reply().unwrap().unwrap().status, 422);
}

fn transfer_encoding_overrides_length_and_closes_connection(service: &Service) {
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\nX-Request-ID: smuggled\r\n\r\n";
    let length = 5 + smuggled.len();
    let message = format!(
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
    );
    let reply = refused(service, message.as_bytes()).unwrap();
    assert!(matches!(reply.status, 400 | 422), "{reply:?}");
    assert!(!service.flushed_log().text().contains("/smuggled"));
}

fn too_large_a_head_is_431(service: &Service) {
    for size in [80_000, 200_000] {
        let one = format!("GET /health HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(size));
        let many = format!("GET /health HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: x\r\n".repeat(size / 6));
        let path = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(size));
        for (message, what) in [(one, "one field"), (many, "many fields"), (path, "a path")] {
            // The service stops reading, so the rest of the message may hit a closed connection.
            if let Ok(Some(reply)) = attempt(service, message.as_bytes()) {
                assert!(matches!(reply.status, 400 | 413 | 414 | 431), "{what} of {size} bytes: {reply:?}");
            }
        }
    }
    let endless = format!("GET /health HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(140_000));
    let reply = attempt(service, endless.as_bytes()).unwrap().unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (431, ""));
}

fn attempt(service: &Service, bytes: &[u8]) -> std::io::Result<Option<RawReply>> {
    let mut connection = Connection::open(service);
    let _ = connection.send(bytes);
    connection.reply()
}

fn no_answer_ever_passes_for_two(service: &Service) {
    // CR and LF in values that could be echoed in a header field.
    for path in ["/a%0d%0aX-Evil:%201", "/a%0aX-Evil:%201", "/a?x=%0d%0aX-Evil:%201"] {
        let message = format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nOrigin: https://x%0d%0aX-Evil: 1\r\nX-Request-ID: a%0d%0aX-Evil: 1\r\n\
             Connection: close\r\n\r\n"
        );
        let replies = service.raw(message);
        assert_eq!(replies.len(), 1);
        assert_eq!(replies[0].header("X-Evil"), None);
    }
}

fn pipelined_requests_are_answered_in_order(service: &Service) {
    let mut requests = String::new();
    for number in 0..20 {
        let path = if number % 2 == 0 { "/health" } else { "/auth/me" };
        requests += &format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Request-ID: pipe.{number}\r\n\r\n");
    }
    let mut connection = Connection::open(service);
    connection.send(requests).unwrap();
    for number in 0..20 {
        let reply = connection.reply().unwrap().unwrap();
        assert_eq!(reply.header("X-Request-ID"), Some(format!("pipe.{number}").as_str()));
        assert_eq!(reply.status, if number % 2 == 0 { 200 } else { 401 });
    }
}

fn an_expectation_is_met(service: &Service) {
    let mut connection = Connection::open(service);
    let head = "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n";
    connection.send(format!("{head}Content-Length: 2\r\n\r\n")).unwrap();
    let interim = connection.reply().unwrap().unwrap();
    assert_eq!(interim.status, 100);
    connection.send("{}").unwrap();
    assert_eq!(connection.reply().unwrap().unwrap().status, 422);
}
