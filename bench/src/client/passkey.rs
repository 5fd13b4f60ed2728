//! Accounts with a passkey, and sign-ins with it.

use super::accounts::{log_in, spread};
use super::connection::Connection;
use super::flows::{Flow, Post, credentials, sent, wanted};
use super::http::{member, post};
use anyhow::{Context, Result};
use portcullis_domain::passkeys::Algorithm;
use portcullis_testkit::authenticator::SoftwarePasskey;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Origin of the pages, to be set as `PUBLIC_URL`.
pub(crate) const ORIGIN: &str = "http://localhost";

/// Registers `count` accounts, each with a passkey (ES256).
pub(crate) fn create(address: SocketAddr, count: usize) -> Result<Vec<SoftwarePasskey>> {
    spread(count, |numbers| {
        let mut connection = Connection::open(address)?;
        numbers.map(|number| add(&mut connection, &format!("passkey{number}@example.com"))).collect()
    })
}

fn add(connection: &mut Connection, email: &str) -> Result<SoftwarePasskey> {
    connection.exchange(&mut Post::new("/auth/register", &credentials(email), 201))?;
    let access = log_in(connection, email)?.access;
    let options = public_key(&sent(connection, Post::with_access(&access, "/auth/passkeys/options", "{}", 200))?)?;
    let mut passkey = SoftwarePasskey::new(Algorithm::Es256, ORIGIN);
    let body = json!({"name": "key", "credential": passkey.register(&options)}).to_string();
    sent(connection, Post::with_access(&access, "/auth/passkeys", &body, 201))?;
    Ok(passkey)
}

/// Sign-ins with one passkey: a request for the options, and one with the signature.
pub(crate) struct PasskeyLogin {
    pub(crate) passkey: SoftwarePasskey,
    /// Options of the sign-in that has begun.
    pub(crate) options: Option<Value>,
}

impl Flow for PasskeyLogin {
    fn request(&mut self, out: &mut Vec<u8>) {
        match &self.options {
            None => post(out, "/auth/passkeys/login/options", "{}"),
            Some(options) => {
                let body = json!({"credential": self.passkey.sign(options)}).to_string();
                post(out, "/auth/passkeys/login", &body);
            }
        }
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Result<()> {
        wanted(200, status, body)?;
        if self.options.take().is_some() {
            return member(body, "refresh_token").map(drop);
        }
        self.options = Some(public_key(body)?);
        Ok(())
    }
}

fn public_key(body: &[u8]) -> Result<Value> {
    let mut body: Value = serde_json::from_slice(body)?;
    body.get_mut("publicKey").map(Value::take).context("the response has no publicKey")
}
