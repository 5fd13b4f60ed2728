//! Test doubles: a blocklist and a readable token format.

use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::login::Methods;
use portcullis_domain::registration::{Password, UserId};
use portcullis_domain::sessions::SessionId;
use portcullis_domain::tokens::{
    AccessClaims, CarriedClaims, ChallengeClaims, ChallengePurpose, Claims, Jti, RefreshClaims,
};
use portcullis_domain::verification::PasswordVersion;
use portcullis_ports::{
    InvalidToken, MacSigner, OutboxNotifier, PasswordBlocklist, SigningError, TokenIssuer, TokenVerifier,
};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Writes claims as `kind.user.jti.sid.iat.exp`, with `-` if there is no session. A challenge has its
/// purpose as kind, and the version of the password and its methods in place of the `jti`.
#[derive(Default)]
pub(crate) struct PlainTokens {
    pub(crate) broken: AtomicBool,
}

impl TokenIssuer for PlainTokens {
    fn sign(&self, claims: &Claims) -> Result<String, SigningError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(SigningError("no key".to_owned()));
        }
        let (kind, id, jti, session, times) = match claims {
            Claims::Access(c) => ("access", c.user_id, c.jti.to_string(), c.session_id, [c.issued_at, c.expires_at]),
            Claims::Refresh(c) => ("refresh", c.user_id, c.jti.to_string(), c.session_id, [c.issued_at, c.expires_at]),
            Claims::Challenge(c) => {
                let version = format!("{}+{}", hex::encode(c.password.as_bytes()), c.first.amr().join("+"));
                (c.purpose.as_str(), c.user_id, version, Some(c.session_id), [c.issued_at, c.expires_at])
            }
        };
        let [iat, exp] = times.map(|time| time.timestamp());
        let sid = session.map_or_else(|| "-".to_owned(), |session| session.to_string());
        Ok(format!("{kind}.{id}.{jti}.{sid}.{iat}.{exp}"))
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
    let jti = parts.next()?;
    let session_id = match parts.next()? {
        "-" => None,
        sid => Some(SessionId::parse(sid)?),
    };
    let mut time = || Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(parts.next()?.parse().ok()?));
    let (issued_at, expires_at, carried) = (time()?, time()?, CarriedClaims::default());
    if let Some(purpose) = ChallengePurpose::ALL.into_iter().find(|purpose| purpose.as_str() == kind) {
        let (version, amr) = jti.split_once('+')?;
        let password = PasswordVersion::new(hex::decode(version).ok()?.try_into().ok()?);
        let session_id = session_id?;
        return Some(Claims::Challenge(ChallengeClaims {
            user_id,
            session_id,
            purpose,
            first: Methods::from_amr(amr.split('+')),
            forget: false,
            password,
            issued_at,
            expires_at,
        }));
    }
    let jti = Jti::parse(jti)?;
    match kind {
        "access" => Some(Claims::Access(AccessClaims { user_id, jti, session_id, carried, issued_at, expires_at })),
        "refresh" => Some(Claims::Refresh(RefreshClaims { user_id, jti, session_id, carried, issued_at, expires_at })),
        _ => None,
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
