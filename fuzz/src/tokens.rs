//! Tokens: only those signed with the key are accepted, and of these only what RFC 8725 and the
//! contract allow. The oracle computes its own HMAC and reads the JSON itself.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use portcullis_domain::tokens::Claims;
use portcullis_jwt::{Algorithm, JwtVerifier};
use portcullis_ports::TokenVerifier;
use serde_json::Value;
use sha2::Sha256;

const SECRET: &[u8] = &[7; 32];
const NOW: i64 = 1_795_356_284;
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const CLAIMS: &str =
    r#"{"sub":"7","jti":"0123456789ab4def8123456789abcdef","type":"refresh","exp":1795361084,"iat":1795356284}"#;

/// Verifies a token; the first byte selects how it is built from the rest.
pub fn tokens(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    match how % 4 {
        0 => verify(&String::from_utf8_lossy(rest)),
        1 => {
            let (header, payload) = halves(rest);
            verify(&sign(&format!("{}.{}", encode(header), encode(payload))));
        }
        2 => verify(&sign(&String::from_utf8_lossy(rest))),
        _ => mutated(rest),
    }
}

/// Changes bytes of a valid token by pairs of position and value. It must be refused unless nothing
/// changed.
fn mutated(changes: &[u8]) {
    let good = sign(&format!("{}.{}", encode(HEADER.as_bytes()), encode(CLAIMS.as_bytes())));
    let mut bytes = good.clone().into_bytes();
    for change in changes.chunks_exact(2) {
        if let [place, byte] = change {
            let place = usize::from(*place) % bytes.len();
            if let Some(old) = bytes.get_mut(place) {
                *old = *byte;
            }
        }
    }
    let token = String::from_utf8_lossy(&bytes);
    let taken = verifier().verify(&token, now()).is_ok();
    assert_eq!(taken, token == good, "{token}");
    verify(&token);
}

fn verify(token: &str) {
    let Ok(claims) = verifier().verify(token, now()) else { return };
    assert!(token.len() <= 8 * 1024, "longer than any token is");
    let mut parts = token.split('.');
    let [header, payload, signature] = [(); 3].map(|()| parts.next().expect("three parts"));
    assert!(parts.next().is_none(), "three parts");
    assert_eq!(signature, encode(&mac(&format!("{header}.{payload}"))), "signed by a stranger");
    let (header, payload) = (decode(header), decode(payload));
    assert_eq!(header["alg"], "HS256");
    for name in ["jwk", "jku", "x5u", "x5c", "crit"] {
        assert!(header.get(name).is_none(), "{name}");
    }
    claims_are(&claims, &payload);
}

fn claims_are(claims: &Claims, payload: &Value) {
    let (kind, user_id, jti, session_id, issued_at, expires_at) = match claims {
        Claims::Access(c) => ("access", c.user_id, Some(c.jti), c.session_id, c.issued_at, c.expires_at),
        Claims::Refresh(c) => ("refresh", c.user_id, Some(c.jti), c.session_id, c.issued_at, c.expires_at),
        Claims::Challenge(c) => ("mfa", c.user_id, None, Some(c.session_id), c.issued_at, c.expires_at),
    };
    assert_eq!(payload["type"], kind);
    assert_eq!(payload["sub"], user_id.to_string());
    assert!(user_id.get() > 0);
    assert!(jti.is_none_or(|jti| payload["jti"] == jti.to_string()));
    assert_eq!(payload.get("sid"), session_id.map(|id| Value::from(id.to_string())).as_ref());
    assert_eq!(payload["iat"], issued_at.timestamp());
    assert_eq!(payload["exp"], expires_at.timestamp());
    assert!(issued_at.timestamp() <= NOW + 60, "from the future");
    assert!(payload.get("nbf").is_none_or(|nbf| nbf.as_i64().is_some_and(|nbf| nbf <= NOW)), "not yet");
    assert!(payload.get("aud").is_none(), "for somebody else");
}

fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (header, payload) = bytes.split_at(at);
    (header, payload.get(1..).unwrap_or_default())
}

fn verifier() -> JwtVerifier {
    JwtVerifier::with_secret(Algorithm::Hs256, SECRET).expect("a key")
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).expect("a time")
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

fn mac(signed: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("a key");
    mac.update(signed.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn sign(signed: &str) -> String {
    format!("{signed}.{}", encode(&mac(signed)))
}
