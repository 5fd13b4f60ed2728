//! Minimal HTTP/1.1 for the load generator: requests and responses with a `Content-Length`. Chunked
//! responses are refused.

use anyhow::{Context, Result, bail};
use std::ops::Range;

/// Status of a response and position of its body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `Retry-After` in seconds, if present.
    pub(crate) retry_after: Option<u64>,
    /// Length of the head, from the first byte read.
    pub(crate) head: usize,
    /// Position of the body in the bytes read.
    pub(crate) body: Range<usize>,
}

/// Parses the first response in the bytes read so far. Returns `None` if it is incomplete.
pub(crate) fn parse(read: &[u8]) -> Result<Option<Answer>> {
    let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(read.get(..end).unwrap_or_default()).context("the head is not UTF-8")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let status = status.context("not an HTTP response")?;
    let (mut length, mut retry_after) = (None, None);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<usize>().context("Content-Length is not a number")?);
        } else if name.eq_ignore_ascii_case("retry-after") {
            retry_after = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("chunked response: this client requires a Content-Length");
        }
    }
    let start = end + 4;
    let stop = start + length.unwrap_or(0);
    Ok((read.len() >= stop).then_some(Answer { status, retry_after, head: end, body: start..stop }))
}

/// Writes a GET, with the access token unless it is empty.
pub(crate) fn get(out: &mut Vec<u8>, path: &str, access: &str) {
    get_with(out, path, Some(("Authorization: Bearer ", access)).filter(|_| !access.is_empty()));
}

/// Writes a GET, optionally with another header field.
pub(crate) fn get_with(out: &mut Vec<u8>, path: &str, field: Option<(&str, &str)>) {
    let (line, (name, value)) = field.map_or(("", ("", "")), |field| ("\r\n", field));
    for part in ["GET ", path, " HTTP/1.1\r\nHost: 127.0.0.1", line, name, value, "\r\n\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Writes a POST with a JSON body.
pub(crate) fn post(out: &mut Vec<u8>, path: &str, json: &str) {
    post_with(out, path, json, None);
}

/// Writes a POST with a JSON body and optionally another header field, such as
/// `("Authorization: Bearer ", token)`.
pub(crate) fn post_with(out: &mut Vec<u8>, path: &str, json: &str, field: Option<(&str, &str)>) {
    let length = json.len().to_string();
    let head = " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ";
    let (line, (name, value)) = field.map_or(("", ("", "")), |field| ("\r\n", field));
    for part in ["POST ", path, head, &length, line, name, value, "\r\n\r\n", json] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Returns the text of a member of a flat JSON object. Escapes are not supported.
pub(crate) fn member<'a>(json: &'a [u8], name: &str) -> Result<&'a str> {
    let text = std::str::from_utf8(json).context("the body is not UTF-8")?;
    let found = text.match_indices(name).find_map(|(at, name)| {
        let before = text.get(..at)?.ends_with('"');
        let value = text.get(at + name.len()..)?.strip_prefix('"')?.trim_start().strip_prefix(':')?;
        let value = value.trim_start().strip_prefix('"')?.split('"').next();
        if before { value } else { None }
    });
    found.with_context(|| format!("the response has no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEALTH: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\nx: y\r\n\r\n{\"status\":\"ok\"}";

    #[test]
    fn an_answer_is_complete_with_the_last_byte_of_its_body() {
        for read in 0..HEALTH.len() {
            assert_eq!(parse(&HEALTH[..read]).unwrap(), None, "{read} bytes");
        }
        let answer = parse(HEALTH).unwrap().unwrap();
        assert_eq!((answer.status, answer.retry_after), (200, None));
        assert_eq!(&HEALTH[answer.body], b"{\"status\":\"ok\"}");
    }

    #[test]
    fn a_refusal_tells_when_to_come_back_and_may_have_no_body() {
        let read = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n";
        let answer = parse(read).unwrap().unwrap();
        assert_eq!((answer.status, answer.retry_after, answer.body.len()), (503, Some(2), 0));
    }

    #[test]
    fn what_this_client_does_not_read_is_an_error() {
        for bad in ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n").is_err());
    }

    #[test]
    fn requests_are_framed_by_their_length() {
        let (mut read, mut write) = (Vec::new(), Vec::new());
        get(&mut read, "/auth/me", "abc");
        assert!(read.ends_with(b"\r\nAuthorization: Bearer abc\r\n\r\n"));
        post(&mut write, "/auth/refresh", "{\"a\":1}");
        assert!(write.starts_with(b"POST /auth/refresh HTTP/1.1\r\n"));
        assert!(write.ends_with(b"Content-Length: 7\r\n\r\n{\"a\":1}"));
    }

    #[test]
    fn a_member_is_found_by_its_whole_name() {
        let json = br#"{"access_token":"a.b","refresh_token": "c.d","token_type":"bearer"}"#;
        assert_eq!(member(json, "refresh_token").unwrap(), "c.d");
        assert_eq!(member(json, "access_token").unwrap(), "a.b");
        assert!(member(json, "token").is_err());
        assert!(member(br#"{"x":"refresh_token"}"#, "refresh_token").is_err());
    }
}
