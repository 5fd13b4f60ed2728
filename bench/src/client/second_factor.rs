//! Accounts with a second factor, and logins that present it.

use super::accounts::{log_in, spread};
use super::connection::Connection;
use super::flows::{Flow, PASSWORD, Post, Session, credentials, sent, wanted};
use super::http::{member, post};
use anyhow::{Context, Result};
use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha1::Sha1;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds in which an authenticator app shows the same code.
const STEP: u64 = 30;

/// Account with an authenticator app and recovery codes.
#[derive(Clone)]
pub(crate) struct Enrolled {
    email: String,
    app: Hmac<Sha1>,
    /// Time step of the last code: each is accepted once.
    last_step: u64,
    recovery_codes: Vec<String>,
}

/// Registers `count` accounts and sets up their second factors.
pub(crate) fn enrol(address: SocketAddr, count: usize) -> Result<Vec<Enrolled>> {
    spread(count, |numbers| {
        let mut connection = Connection::open(address)?;
        numbers.map(|number| Enrolled::create(&mut connection, format!("mfa{number}@example.com"))).collect()
    })
}

impl Enrolled {
    fn create(connection: &mut Connection, email: String) -> Result<Self> {
        connection.exchange(&mut Post::new("/auth/register", &credentials(&email), 201))?;
        let Session { access, .. } = log_in(connection, &email)?;
        let body = r#"{"name":"app"}"#;
        let pending = sent(connection, Post::with_access(&access, "/auth/mfa/totp", body, 201))?;
        let secret = BASE32_NOPAD.decode(member(&pending, "secret")?.as_bytes()).ok();
        let secret = secret.context("the secret is not base32")?;
        let app = Hmac::new_from_slice(&secret)?;
        let mut account = Self { email, app, last_step: 0, recovery_codes: Vec::new() };
        let path = format!("/auth/mfa/totp/{}/confirm", member(&pending, "id")?);
        let body = format!("{{\"code\":\"{}\"}}", account.next_code()?);
        account.keep_codes(&sent(connection, Post::with_access(&access, &path, &body, 200))?)?;
        Ok(account)
    }

    /// Returns the code of this time step, or the next one if that was used: the service accepts both.
    fn next_code(&mut self) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        self.last_step = (now / STEP).max(self.last_step + 1);
        Ok(code(self.app.clone(), self.last_step))
    }

    /// Keeps the recovery codes of a response that has new ones.
    fn keep_codes(&mut self, body: &[u8]) -> Result<()> {
        #[derive(Deserialize)]
        struct Codes {
            recovery_codes: Option<Vec<String>>,
        }
        if let Some(codes) = serde_json::from_slice::<Codes>(body)?.recovery_codes {
            self.recovery_codes = codes;
        }
        Ok(())
    }

    /// Logs in with the password alone and returns the `mfa_token`.
    pub(crate) fn challenge(&self, address: SocketAddr) -> Result<String> {
        let login = Post::new("/auth/login", &credentials(&self.email), 403);
        let body = sent(&mut Connection::open(address)?, login)?;
        Ok(member(&body, "mfa_token")?.to_owned())
    }
}

/// Computes a code of an authenticator app (RFC 6238) independently of the service.
fn code(mut app: Hmac<Sha1>, step: u64) -> String {
    app.update(&step.to_be_bytes());
    let mac = app.finalize().into_bytes();
    let offset = usize::from(mac.last().copied().unwrap_or_default() & 15);
    let word = mac.get(offset..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_be_bytes);
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

/// Second factor that a login presents.
#[derive(Clone, Copy)]
pub(crate) enum Factor {
    TotpCode,
    RecoveryCode,
}

/// Logins to one account with a second factor.
pub(crate) struct FactorLogin {
    pub(crate) account: Enrolled,
    pub(crate) factor: Factor,
}

impl Flow for FactorLogin {
    fn request(&mut self, out: &mut Vec<u8>) {
        let code = match self.factor {
            // The service refuses the empty code, and so the measurement fails.
            Factor::TotpCode => self.account.next_code().unwrap_or_default(),
            Factor::RecoveryCode => self.account.recovery_codes.pop().unwrap_or_default(),
        };
        let email = &self.account.email;
        let body = format!("{{\"email\":\"{email}\",\"password\":\"{PASSWORD}\",\"code\":\"{code}\"}}");
        post(out, "/auth/login", &body);
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Result<()> {
        wanted(200, status, body)?;
        member(body, "refresh_token")?;
        self.account.keep_codes(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Enrolled {
        let app = Hmac::new_from_slice(b"12345678901234567890").unwrap();
        let recovery_codes = vec!["last".to_owned(), "first".to_owned()];
        Enrolled { email: "mfa0@example.com".to_owned(), app, last_step: 0, recovery_codes }
    }

    fn sent(login: &mut FactorLogin) -> String {
        let mut out = Vec::new();
        login.request(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        let codes = [1, 37_037_036, 41_152_263].map(|step| code(account().app, step));
        assert_eq!(codes, ["287082", "081804", "005924"]);
    }

    #[test]
    fn no_code_is_sent_twice() {
        let mut login = FactorLogin { account: account(), factor: Factor::TotpCode };
        assert_ne!(sent(&mut login), sent(&mut login));
        let mut login = FactorLogin { account: account(), factor: Factor::RecoveryCode };
        assert!(sent(&mut login).ends_with(r#""code":"first"}"#));
        login.answer(200, br#"{"refresh_token":"r"}"#).unwrap();
        assert!(sent(&mut login).ends_with(r#""code":"last"}"#));
        login.answer(200, br#"{"refresh_token":"r","recovery_codes":["new"]}"#).unwrap();
        assert!(sent(&mut login).ends_with(r#""code":"new"}"#));
        assert!(login.answer(401, b"{}").is_err());
    }
}
