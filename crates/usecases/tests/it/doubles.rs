//! Test doubles: a blocklist and a readable token format.

use chrono::{DateTime, Utc};
use portcullis_domain::registration::Password;
use portcullis_domain::tokens::Claims;
use portcullis_ports::{
    InvalidToken, MacSigner, OutboxNotifier, PasswordBlocklist, SigningError, TokenIssuer, TokenVerifier,
};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Writes claims as `kind.user.jti.sid.iat.exp`, with `-` for what is missing, and remembers them.
#[derive(Default)]
pub(crate) struct PlainTokens {
    pub(crate) broken: AtomicBool,
    signed: Mutex<HashMap<String, Claims>>,
}

impl TokenIssuer for PlainTokens {
    fn sign(&self, claims: &Claims) -> Result<String, SigningError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(SigningError("no key".to_owned()));
        }
        let (kind, id, jti, session, times) = match claims {
            Claims::Access(c) => ("access", c.user_id, Some(c.jti), c.session_id, [c.issued_at, c.expires_at]),
            Claims::Refresh(c) => ("refresh", c.user_id, Some(c.jti), c.session_id, [c.issued_at, c.expires_at]),
            Claims::Challenge(c) => ("mfa", c.user_id, None, Some(c.session_id), [c.issued_at, c.expires_at]),
        };
        let [iat, exp] = times.map(|time| time.timestamp());
        let jti = jti.map_or_else(|| "-".to_owned(), |jti| jti.to_string());
        let sid = session.map_or_else(|| "-".to_owned(), |session| session.to_string());
        let token = format!("{kind}.{id}.{jti}.{sid}.{iat}.{exp}");
        self.signed.lock().unwrap().insert(token.clone(), claims.clone());
        Ok(token)
    }
}

impl TokenVerifier for PlainTokens {
    fn verify(&self, token: &str, _: DateTime<Utc>) -> Result<Claims, InvalidToken> {
        self.signed.lock().unwrap().get(token).cloned().ok_or(InvalidToken)
    }
}

/// Refuses only passwords that follow from the context.
pub(crate) struct ContextBlocklist;

impl PasswordBlocklist for ContextBlocklist {
    fn contains(&self, password: &Password, context: &[&str]) -> bool {
        context.contains(&password.expose())
    }
}

/// Creates MACs without a key that still depend on the message.
pub(crate) struct PlainAuthenticator;

impl MacSigner for PlainAuthenticator {
    fn sign(&self, message: &[u8]) -> [u8; 32] {
        let mut code = [0; 32];
        for (number, eight) in (0_u8..).zip(code.chunks_mut(8)) {
            let mut hasher = DefaultHasher::new();
            (number, message).hash(&mut hasher);
            eight.copy_from_slice(&hasher.finish().to_be_bytes());
        }
        code
    }

    fn verify(&self, message: &[u8], code: &[u8; 32]) -> bool {
        self.sign(message) == *code
    }
}

/// Counts notifications.
#[derive(Default)]
pub(crate) struct CountingNotifier(pub(crate) AtomicUsize);

impl OutboxNotifier for CountingNotifier {
    fn notify(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
