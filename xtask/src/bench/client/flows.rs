//! What a client of the service does, one request after another: each flow writes its next
//! request and reads its answer. When requests are sent is left to those who drive the flows.

use super::http::{get, member, post, post_with_key};
use anyhow::{Result, ensure};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The password of every account that the bench makes.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// One client's conversation.
pub(crate) trait Flow: Send {
    /// Writes the next request.
    fn request(&mut self, out: &mut Vec<u8>);

    /// Takes the answer in; an error where it is not the wanted one.
    fn answer(&mut self, status: u16, body: &[u8]) -> Result<()>;
}

/// The tokens that a login gave.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Session {
    /// The pair that an answer of login or refresh holds.
    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        Ok(Self {
            access: member(body, "access_token")?.to_owned(),
            refresh: member(body, "refresh_token")?.to_owned(),
        })
    }
}

/// The same GET again and again, with an access token or without.
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

/// A chain of refreshes: each answer's token is spent by the next request.
pub(crate) struct Refresh {
    token: String,
    /// The `Idempotency-Key` of each, so that one whose outcome is not known can be tried again.
    key: Option<u64>,
}

impl Refresh {
    pub(crate) fn new(session: &Session) -> Self {
        Self { token: session.refresh.clone(), key: None }
    }

    /// With keys.
    pub(crate) fn retryable(session: &Session) -> Self {
        Self { key: Some(0), ..Self::new(session) }
    }
}

impl Flow for Refresh {
    fn request(&mut self, out: &mut Vec<u8>) {
        let key = self.key.map(|key| key.to_string());
        post_with_key(out, "/auth/refresh", &format!("{{\"refresh_token\":\"{}\"}}", self.token), key.as_deref());
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Result<()> {
        wanted(200, status, body)?;
        let token = member(body, "refresh_token")?;
        ensure!(token != self.token, "a refresh gave the token that it was shown");
        token.clone_into(&mut self.token);
        self.key = self.key.map(|key| key + 1);
        Ok(())
    }
}

/// Logins of one account.
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

/// Registrations, each of an email that nobody had.
pub(crate) struct Register {
    next: Arc<AtomicU64>,
}

impl Register {
    /// A client that takes its numbers where its neighbours do.
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

/// The body of a registration and of a login.
pub(crate) fn credentials(email: &str) -> String {
    format!("{{\"email\":\"{email}\",\"password\":\"{PASSWORD}\"}}")
}

fn wanted(wanted: u16, status: u16, body: &[u8]) -> Result<()> {
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
