//! Client flows: each writes its next request and reads the response. The load generator decides when
//! requests are sent.

use super::connection::Connection;
use super::http::{get, member, post, post_with};
use anyhow::{Context, Result, ensure};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Password of every account that the bench creates.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Sequence of requests of one client.
pub(crate) trait Flow: Send {
    /// Writes the next request.
    fn request(&mut self, out: &mut Vec<u8>);

    /// Reads the header fields of a response, before [`answer`](Self::answer).
    fn head(&mut self, _head: &[u8]) {}

    /// Processes the response. Returns an error if it is not the expected one.
    fn answer(&mut self, status: u16, body: &[u8]) -> Result<()>;
}

/// Tokens returned by a login.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Session {
    /// Parses the tokens in the response to a login or refresh.
    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        Ok(Self {
            access: member(body, "access_token")?.to_owned(),
            refresh: member(body, "refresh_token")?.to_owned(),
        })
    }
}

/// Repeats one GET, with or without an access token.
pub(crate) struct Get {
    request: Vec<u8>,
}

impl Get {
    pub(crate) fn new(path: &str, access: &str) -> Self {
        let mut request = Vec::new();
        get(&mut request, path, access);
        Self { request }
    }
}

impl Flow for Get {
    fn request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.request);
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Result<()> {
        wanted(200, status, body)
    }
}

/// Repeats one POST, whose responses have one status.
pub(crate) struct Post {
    request: Vec<u8>,
    status: u16,
}

impl Post {
    pub(crate) fn new(path: &str, json: &str, status: u16) -> Self {
        let mut request = Vec::new();
        post(&mut request, path, json);
        Self { request, status }
    }

    /// Creates requests with an access token.
    pub(crate) fn with_access(access: &str, path: &str, json: &str, status: u16) -> Self {
        let mut request = Vec::new();
        post_with(&mut request, path, json, Some(("Authorization: Bearer ", access)));
        Self { request, status }
    }
}

impl Flow for Post {
    fn request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.request);
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Result<()> {
        wanted(self.status, status, body)
    }
}

/// Flows that take turns: each sends one request.
pub(crate) struct InTurn(pub(crate) VecDeque<Box<dyn Flow>>);

impl Flow for InTurn {
    fn request(&mut self, out: &mut Vec<u8>) {
        if let Some(flow) = self.0.front_mut() {
            flow.request(out);
        }
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Result<()> {
        self.0.front_mut().map_or(Ok(()), |flow| flow.answer(status, body))?;
        self.0.rotate_left(1);
        Ok(())
    }
}

/// Chain of refreshes: each request presents the token of the last response.
pub(crate) struct Refresh {
    token: String,
    /// `Idempotency-Key` of the next request, so that a refresh with unknown outcome can be retried.
    key: Option<u64>,
}

impl Refresh {
    pub(crate) fn new(session: &Session) -> Self {
        Self { token: session.refresh.clone(), key: None }
    }

    /// Creates a chain that sends keys.
    pub(crate) fn retryable(session: &Session) -> Self {
        Self { key: Some(0), ..Self::new(session) }
    }
}

impl Flow for Refresh {
    fn request(&mut self, out: &mut Vec<u8>) {
        let key = self.key.map(|key| key.to_string());
        let field = key.as_deref().map(|key| ("Idempotency-Key: ", key));
        post_with(out, "/auth/refresh", &format!("{{\"refresh_token\":\"{}\"}}", self.token), field);
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Result<()> {
        wanted(200, status, body)?;
        let token = member(body, "refresh_token")?;
        ensure!(token != self.token, "the refresh returned the token that was presented");
        token.clone_into(&mut self.token);
        self.key = self.key.map(|key| key + 1);
        Ok(())
    }
}

/// Chain of refreshes by cookie, as a browser sends them.
pub(crate) struct CookieRefresh {
    token: String,
    next: Option<String>,
}

impl CookieRefresh {
    /// Origin of the pages, to be set as `PUBLIC_URL`.
    pub(crate) const ORIGIN: &str = "http://127.0.0.1";
    const NAME: &str = "portcullis_refresh=";

    pub(crate) fn new(session: &Session) -> Self {
        Self { token: session.refresh.clone(), next: None }
    }
}

impl Flow for CookieRefresh {
    fn request(&mut self, out: &mut Vec<u8>) {
        // A device cookie that was issued for no account still has the number of a device.
        let device = format!("2.{:032x}.6b0dcf8f.{:032x}.{:064x}", 1, 2, 3);
        let cookies = format!("portcullis_device={device}; {}{}", Self::NAME, self.token);
        let line = format!("Portcullis-Tokens: cookie\r\nOrigin: {}\r\nCookie: ", Self::ORIGIN);
        post_with(out, "/auth/refresh", "", Some((&line, &cookies)));
    }

    fn head(&mut self, head: &[u8]) {
        let head = String::from_utf8_lossy(head);
        let value = head.split(Self::NAME).nth(1).and_then(|rest| rest.split(';').next());
        self.next = value.map(str::to_owned);
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Result<()> {
        wanted(200, status, body)?;
        let token = self.next.take().context("the response sets no refresh cookie")?;
        ensure!(token != self.token, "the refresh returned the token that was presented");
        self.token = token;
        Ok(())
    }
}

/// Repeated logins to one account.
pub(crate) struct Login {
    body: String,
}

impl Login {
    pub(crate) fn new(email: &str) -> Self {
        Self { body: credentials(email) }
    }
}

impl Flow for Login {
    fn request(&mut self, out: &mut Vec<u8>) {
        post(out, "/auth/login", &self.body);
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Result<()> {
        wanted(200, status, body)?;
        member(body, "refresh_token").map(drop)
    }
}

/// Registrations, each with a new email.
pub(crate) struct Register {
    next: Arc<AtomicU64>,
}

impl Register {
    /// Creates a client. Clients that share `next` never use the same email.
    pub(crate) fn new(next: &Arc<AtomicU64>) -> Self {
        Self { next: Arc::clone(next) }
    }
}

impl Flow for Register {
    fn request(&mut self, out: &mut Vec<u8>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        post(out, "/auth/register", &credentials(&format!("new{number}@example.com")));
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Result<()> {
        wanted(201, status, body)
    }
}

/// Returns the body of a registration or login.
pub(crate) fn credentials(email: &str) -> String {
    format!("{{\"email\":\"{email}\",\"password\":\"{PASSWORD}\"}}")
}

/// Sends one request and returns the body of the response.
pub(super) fn sent(connection: &mut Connection, mut request: Post) -> Result<Vec<u8>> {
    let answer = connection.call(&mut request)?;
    let body = connection.body(&answer);
    request.answer(answer.status, body)?;
    Ok(body.to_vec())
}

pub(super) fn wanted(wanted: u16, status: u16, body: &[u8]) -> Result<()> {
    ensure!(status == wanted, "status {status} instead of {wanted}: {}", String::from_utf8_lossy(body));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(flow: &mut dyn Flow) -> String {
        let mut out = Vec::new();
        flow.request(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_chain_spends_the_token_of_the_last_answer() {
        let session = Session { access: "a".into(), refresh: "first".into() };
        let mut chain = Refresh::new(&session);
        assert!(sent(&mut chain).contains("\"first\""));
        chain.answer(200, br#"{"access_token":"x","refresh_token":"second"}"#).unwrap();
        assert!(sent(&mut chain).contains("\"second\""));
        assert!(chain.answer(200, br#"{"refresh_token":"second"}"#).is_err(), "the same token again");
        assert!(chain.answer(401, b"{}").is_err());
    }

    #[test]
    fn a_retryable_chain_keeps_the_key_of_what_is_not_answered() {
        let session = Session { access: "a".into(), refresh: "first".into() };
        let mut chain = Refresh::retryable(&session);
        let first = sent(&mut chain);
        assert!(first.contains("\r\nIdempotency-Key: 0\r\n"));
        assert_eq!(sent(&mut chain), first);
        chain.answer(200, br#"{"refresh_token":"second"}"#).unwrap();
        assert!(sent(&mut chain).contains("\r\nIdempotency-Key: 1\r\n"));
    }

    #[test]
    fn no_email_is_registered_twice() {
        let next = Arc::default();
        let (mut one, mut two) = (Register::new(&next), Register::new(&next));
        assert_ne!(sent(&mut one), sent(&mut two));
        assert!(one.answer(409, b"{}").is_err());
    }
}
