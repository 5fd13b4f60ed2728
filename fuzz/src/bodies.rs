//! Request bodies, JSON and form: the verdict of the service is compared with that of a second parser.

use crate::service::{EMAIL, PASSWORD, Service, service};
use portcullis_domain::registration::EmailAddress;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Connection that is reused as long as the service keeps it open.
static CONNECTION: Mutex<Option<BufReader<TcpStream>>> = Mutex::new(None);

/// Targets of a body: path, content type, and required members.
const PLACES: [(&str, &str, &[&str]); 12] = [
    ("/auth/register", "application/json", &["email", "password"]),
    ("/auth/login", "application/json", &["email", "password"]),
    ("/auth/login", "application/x-www-form-urlencoded", &["username", "password"]),
    ("/auth/refresh", "application/json", &["refresh_token"]),
    ("/auth/logout", "application/merge-patch+json", &["refresh_token"]),
    ("/auth/password/forgot", "application/json", &["email"]),
    ("/auth/password/reset", "application/json", &["token", "new_password"]),
    ("/auth/email/verify", "application/json", &["token"]),
    ("/auth/email/resend", "application/json", &["email"]),
    ("/account/reset", "application/x-www-form-urlencoded", &[]),
    ("/account/verify", "application/x-www-form-urlencoded", &[]),
    (PASSKEY, "application/json", &["credential"]),
];

/// Target whose member is an object. No passkey is known here.
const PASSKEY: &str = "/auth/passkeys/login";

/// Sends a body; the first byte selects the path. `@refresh` in it is replaced by a valid token.
pub fn bodies(data: &[u8]) {
    let Some((place, body)) = data.split_first() else { return };
    let Some((path, kind, names)) = PLACES.get(usize::from(*place) % PLACES.len()) else { return };
    let service = service();
    let body = with_token(service, body);
    let (status, answer) = call(service, path, kind, &body);
    if path.starts_with("/account/") {
        assert_eq!(status, page(path, &body), "{path} {}", String::from_utf8_lossy(&body));
        return;
    }
    let members = if kind.contains("json") { json(&body, names, *path == PASSKEY) } else { form(&body, names) };
    let expected = members.map_or(422, |members| outcome(service, path, &members));
    assert_eq!(status, expected, "{path} {kind} {}\n{answer}", String::from_utf8_lossy(&body));
    if status == 422 {
        let faults = answer["error"]["details"]["errors"].as_array().expect("what is wrong");
        assert!(!faults.is_empty() && faults.iter().all(|fault| fault["code"].is_string()), "{answer}");
    }
}

/// Returns the expected status of a page form. No token is valid here.
fn page(path: &str, body: &[u8]) -> u16 {
    let member = |name: &str| form(body, &[name]).and_then(|mut members| members.pop());
    match (form(body, &[]), member("token")) {
        (Some(_), Some(_)) if path == "/account/reset" => {
            let (new, again) = (member("new_password").unwrap_or_default(), member("repetition").unwrap_or_default());
            if (8..=256).contains(&new.chars().count()) && new == again { 410 } else { 422 }
        }
        (Some(_), Some(_)) => 410,
        (Some(_), None) if member("email").is_some_and(|email| EmailAddress::parse(&email).is_ok()) => 200,
        _ => 422,
    }
}

/// Returns the expected status for members of the right types.
fn outcome(service: &Service, path: &str, members: &[String]) -> u16 {
    match (path, members) {
        ("/auth/register", [email, password]) => match (EmailAddress::parse(email), password.chars().count()) {
            (Ok(email), 8..=256) => {
                if email.canonical() == EMAIL {
                    409
                } else {
                    201
                }
            }
            _ => 422,
        },
        ("/auth/login", [email, password]) => match EmailAddress::parse(email) {
            Ok(email) => {
                if email.canonical() == EMAIL && password == PASSWORD {
                    200
                } else {
                    401
                }
            }
            Err(_) => 422,
        },
        ("/auth/password/forgot" | "/auth/email/resend", [email]) => {
            if EmailAddress::parse(email).is_ok() {
                202
            } else {
                422
            }
        }
        // No token from an email is valid here.
        ("/auth/password/reset", [_, password]) if (8..=256).contains(&password.chars().count()) => 401,
        ("/auth/password/reset", _) => 422,
        ("/auth/email/verify", _) => 401,
        (_, [token]) => {
            if *token == service.refresh_token {
                200
            } else {
                401
            }
        }
        _ => 0,
    }
}

/// Returns the values of the members, or `None` unless the text is a JSON object without duplicates and
/// they are strings, or objects.
fn json(text: &[u8], names: &[&str], objects: bool) -> Option<Vec<String>> {
    let value: Value = serde_json::from_slice(text).ok()?;
    // A parser that keeps the last of two duplicates returns fewer members than the text has colons.
    if colons(text) != members(&value) {
        return None;
    }
    let members = names.iter().map(|name| value.as_object()?.get(*name));
    members
        .map(
            |member| {
                if objects { Some(member?.as_object()?.len().to_string()) } else { Some(member?.as_str()?.to_owned()) }
            },
        )
        .collect()
}

/// Counts the colons outside strings, in valid JSON.
fn colons(text: &[u8]) -> usize {
    let (mut inside, mut escaped, mut count) = (false, false, 0);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b':' if !inside => count += 1,
            _ => {}
        }
    }
    count
}

fn members(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(members).sum(),
        Value::Object(object) => object.values().map(|value| 1 + members(value)).sum(),
        _ => 0,
    }
}

/// Returns the values of the members, or `None` unless the text is a form in UTF-8 without duplicates.
fn form(text: &[u8], names: &[&str]) -> Option<Vec<String>> {
    let mut pairs = Vec::new();
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = (pair.get(..at)?, pair.get(at + 1..).unwrap_or_default());
        pairs.push((decoded(name)?, decoded(value)?));
    }
    let single = |name: &String| pairs.iter().filter(|(other, _)| other == name).count() == 1;
    if text.is_empty() || !pairs.iter().all(|(name, _)| single(name)) {
        return None;
    }
    names.iter().map(|name| Some(pairs.iter().find(|(other, _)| other == name)?.1.clone())).collect()
}

/// Decodes `application/x-www-form-urlencoded` by the URL standard: a `%` without two hex digits is
/// literal.
fn decoded(text: &[u8]) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let hex = hex.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%');
        bytes.push(byte.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if byte.is_some() { after.get(2..)? } else { after };
    }
    String::from_utf8(bytes).ok()
}

fn with_token(service: &Service, body: &[u8]) -> Vec<u8> {
    const MARK: &[u8] = b"@refresh";
    let Some(at) = body.windows(MARK.len()).position(|window| window == MARK) else { return body.to_vec() };
    let mut bytes = body.to_vec();
    bytes.splice(at..at + MARK.len(), service.refresh_token.bytes());
    bytes
}

/// Sends a request and returns the status and body of the response.
fn call(service: &Service, path: &str, kind: &str, body: &[u8]) -> (u16, Value) {
    let mut kept = CONNECTION.lock().unwrap_or_else(PoisonError::into_inner);
    let mut request = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n").into_bytes();
    request.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
    request.extend(body);
    let mut connection = kept.take().unwrap_or_else(|| connect(service));
    connection.get_mut().write_all(&request).expect("it reads");
    let (mut status, mut length, mut close) = (0, 0, false);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(connection.read_line(&mut line).expect("it answers") > 0, "no answer");
        let lower = line.to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix("http/1.1 ") {
            status = rest.split(' ').next().and_then(|status| status.parse().ok()).unwrap_or(0);
        }
        if let Some(rest) = lower.strip_prefix("content-length:") {
            length = rest.trim().parse().expect("a number");
        }
        close |= lower.starts_with("connection: close");
    }
    let mut answer = vec![0; length];
    connection.read_exact(&mut answer).expect("its body");
    if !close {
        *kept = Some(connection);
    }
    (status, serde_json::from_slice(&answer).unwrap_or_default())
}

fn connect(service: &Service) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(service.address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a socket");
    stream.set_nodelay(true).expect("a socket");
    BufReader::new(stream)
}
