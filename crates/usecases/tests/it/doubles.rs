//! A hasher, a blocklist and a token format that can be read by eye.

use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::registration::{Password, PasswordHash, UserId};
use portcullis_domain::tokens::{AccessClaims, Claims, Jti, RefreshClaims};
use portcullis_ports::{
    HasherError, InvalidToken, MessageAuthenticator, PasswordBlocklist, PasswordHasher, Patience, SigningError,
    TokenIssuer, TokenVerifier, Verification,
};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Stores `new:password`; `old:password` is outdated, anything else unreadable. Counts its work.
#[derive(Default)]
pub(crate) struct PlainHasher {
    pub(crate) work: AtomicUsize,
    pub(crate) busy: AtomicBool,
}

impl PlainHasher {
    fn count(&self, patience: &Patience) -> Result<(), HasherError> {
        let busy = self.busy.load(Ordering::SeqCst) || patience.is_over();
        self.work.fetch_add(1, Ordering::SeqCst);
        if busy { Err(HasherError::Busy { retry_after: Duration::from_secs(2) }) } else { Ok(()) }
    }
}

impl PasswordHasher for PlainHasher {
    fn hash(&self, password: &Password, patience: &Patience) -> Result<PasswordHash, HasherError> {
        self.count(patience)?;
        Ok(PasswordHash::new(format!("new:{}", password.expose())))
    }

    fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        patience: &Patience,
    ) -> Result<Verification, HasherError> {
        self.count(patience)?;
        Ok(match hash.expose().split_once(':') {
            Some((scheme @ ("new" | "old"), stored)) if stored == password.expose() => {
                Verification::Match { outdated: scheme == "old" }
            }
            Some(("new" | "old", _)) => Verification::Mismatch,
            _ => Verification::Unreadable,
        })
    }

    fn verify_stand_in(&self, _: &Password, patience: &Patience) -> Result<(), HasherError> {
        self.count(patience)
    }
}

/// Writes claims as `kind.user.jti.iat.exp`.
#[derive(Default)]
pub(crate) struct PlainTokens {
    pub(crate) broken: AtomicBool,
}

impl PlainTokens {
    fn sign(&self, kind: &str, id: UserId, jti: Jti, times: [DateTime<Utc>; 2]) -> Result<String, SigningError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(SigningError("no key".to_owned()));
        }
        let [iat, exp] = times.map(|time| time.timestamp());
        Ok(format!("{kind}.{id}.{jti}.{iat}.{exp}"))
    }
}

impl TokenIssuer for PlainTokens {
    fn access(&self, claims: &AccessClaims) -> Result<String, SigningError> {
        self.sign("access", claims.user_id, claims.jti, [claims.issued_at, claims.expires_at])
    }

    fn refresh(&self, claims: &RefreshClaims) -> Result<String, SigningError> {
        self.sign("refresh", claims.user_id, claims.jti, [claims.issued_at, claims.expires_at])
    }
}

impl TokenVerifier for PlainTokens {
    fn verify(&self, token: &str, _: DateTime<Utc>) -> Result<Claims, InvalidToken> {
        read(token).ok_or(InvalidToken)
    }
}

fn read(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let kind = parts.next()?;
    let user_id = UserId::parse(parts.next()?)?;
    let jti = Jti::parse(parts.next()?)?;
    let mut time = || Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(parts.next()?.parse().ok()?));
    let (issued_at, expires_at) = (time()?, time()?);
    match kind {
        "access" => Some(Claims::Access(AccessClaims { user_id, jti, issued_at, expires_at })),
        "refresh" => Some(Claims::Refresh(RefreshClaims { user_id, jti, issued_at, expires_at })),
        _ => None,
    }
}

/// Knows what its context suggests, and nothing else.
pub(crate) struct ContextBlocklist;

impl PasswordBlocklist for ContextBlocklist {
    fn contains(&self, password: &Password, context: &[&str]) -> bool {
        context.contains(&password.expose())
    }
}

/// Codes that anybody could make, and that still differ with their message.
pub(crate) struct PlainAuthenticator;

impl MessageAuthenticator for PlainAuthenticator {
    fn code(&self, message: &[u8]) -> [u8; 32] {
        let mut code = [0; 32];
        for (number, eight) in (0_u8..).zip(code.chunks_mut(8)) {
            let mut hasher = DefaultHasher::new();
            (number, message).hash(&mut hasher);
            eight.copy_from_slice(&hasher.finish().to_be_bytes());
        }
        code
    }

    fn verify(&self, message: &[u8], code: &[u8; 32]) -> bool {
        self.code(message) == *code
    }
}
