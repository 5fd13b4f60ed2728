//! Arbitrary bytes on a connection: every response follows the contract, has its headers and envelope,
//! and none is an internal error.

use crate::service::{Service, service};
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Longer than any response to a complete request takes.
const TIMEOUT: Duration = Duration::from_secs(15);
/// All statuses that are possible here.
const STATUSES: [u16; 18] = [100, 200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 422, 431];

/// Sends the bytes unchanged, except that `@access` and `@refresh` are replaced by valid tokens.
pub fn requests(data: &[u8]) {
    let service = service();
    let answers = exchange(service, &with_tokens(service, data));
    let (mut rest, mut bodiless) = (answers.as_slice(), 0);
    while !rest.is_empty() {
        let Some((head, after)) = head(rest) else {
            assert!(rest.starts_with(b"HTTP/1."), "no answer: {:?}", String::from_utf8_lossy(rest));
            return;
        };
        let status = status(&head);
        assert!(STATUSES.contains(&status), "{head}");
        if status == 100 {
            rest = after;
            continue;
        }
        let length = field(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        // A response to HEAD has the length of a body that it does not contain.
        let has_body = length == 0 || !(after.is_empty() || after.starts_with(b"HTTP/1."));
        bodiless += usize::from(!has_body);
        let Some((body, after)) = after.split_at_checked(if has_body { length } else { 0 }) else {
            panic!("half an answer: {head}");
        };
        if field(&head, "x-request-id").is_some() {
            is_of_the_contract(&head, status, body);
        }
        rest = after;
    }
    let heads = data.windows(5).filter(|word| word == b"HEAD ").count();
    assert!(bodiless <= heads, "{bodiless} answers have lost their bodies");
}

/// Checks a response of the application, not of the HTTP library below it.
fn is_of_the_contract(head: &str, status: u16, body: &[u8]) {
    assert_eq!(field(head, "x-content-type-options"), Some("nosniff"), "{head}");
    // A page describes the error in HTML.
    let page = field(head, "content-type").is_some_and(|kind| kind.starts_with("text/html"));
    if page && status >= 400 {
        assert_eq!(field(head, "cache-control"), Some("no-store"), "{head}");
    }
    if status < 400 || body.is_empty() || page {
        return;
    }
    let value: Value = serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {head}"));
    let problem = field(head, "content-type").is_some_and(|kind| kind.starts_with("application/problem+json"));
    let code = if problem { &value["code"] } else { &value["error"]["code"] };
    assert!(code.as_str().is_some_and(|code| code.chars().all(|c| c.is_ascii_uppercase() || c == '_')), "{value}");
    assert_eq!(value["request_id"].as_str(), field(head, "x-request-id"), "{value}");
}

/// Sends the bytes on a new connection and returns everything received.
fn exchange(service: &Service, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(service.address).expect("it listens");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a socket");
    // The service may close the connection early. What it sent until then counts.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut answers = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answers) {
        let late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!late, "no end of the answer: {:?}", String::from_utf8_lossy(&answers));
    }
    answers
}

fn with_tokens(service: &Service, data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    for (name, token) in [(&b"@access"[..], &service.access_token), (b"@refresh", &service.refresh_token)] {
        while let Some(at) = bytes.windows(name.len()).position(|window| window == name) {
            bytes.splice(at..at + name.len(), token.bytes());
        }
    }
    bytes
}

fn head(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let (head, rest) = bytes.split_at_checked(end)?;
    Some((String::from_utf8_lossy(head).into_owned(), rest))
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let named = |line: &'a str| line.split_once(':').filter(|(other, _)| other.eq_ignore_ascii_case(name));
    head.lines().find_map(named).map(|(_, value)| value.trim())
}
