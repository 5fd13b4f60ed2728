//! Signs and verifies JWS compact serialization (RFC 7515 §3.1).

use crate::keys::{SigningKey, VerifyingKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_json::Object;
use std::sync::Arc;

/// Maximum length of a token: some forty times that of an issued one.
const MAX_BYTES: usize = 8 * 1024;

/// Maximum length of a signature: that of an RSA key with 8192 bits.
const MAX_SIGNATURE_BYTES: usize = 1024;

/// Header parameters by which a token supplies its own key or rules (RFC 8725 §3.10, RFC 7515 §4.1.11).
/// No valid token needs them, so they are rejected even with a correct signature.
const FORBIDDEN_HEADERS: [&str; 5] = ["jwk", "jku", "x5u", "x5c", "crit"];

/// Signs a payload. Returns `None` if the key fails.
pub(crate) fn sign(payload: &[u8], key: &SigningKey) -> Option<String> {
    let mut token = String::with_capacity(key.header().len() + 2 * payload.len() + 128);
    token.push_str(key.header());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key.sign(token.as_bytes(), |signature| URL_SAFE_NO_PAD.encode(signature))?;
    token.push('.');
    token.push_str(&signature);
    Some(token)
}

/// Verifies a token and returns its decoded payload. Returns `None` unless one of the keys signed it
/// with that key's algorithm and the header names that algorithm. Never decodes the payload of a forged
/// token.
pub(crate) fn verify(token: &str, keys: &[Arc<VerifyingKey>]) -> Option<Vec<u8>> {
    if token.len() > MAX_BYTES {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let mut buffer = [0; MAX_SIGNATURE_BYTES];
    let length = URL_SAFE_NO_PAD.decode_slice(signature, &mut buffer).ok()?;
    let seal = UnverifiedJws { header, signed: signed.as_bytes(), signature: buffer.get(..length)? };
    if seal.is_good(keys) { part(payload) } else { None }
}

/// Parts of a token that its signature check needs.
struct UnverifiedJws<'a> {
    header: &'a str,
    signed: &'a [u8],
    signature: &'a [u8],
}

impl UnverifiedJws<'_> {
    fn is_good(&self, keys: &[Arc<VerifyingKey>]) -> bool {
        // Tokens of this service have exactly this header, so it need not be parsed.
        let mut makers = keys.iter().filter(|key| key.makes(self.header)).peekable();
        if makers.peek().is_some() {
            return makers.any(|key| self.is_by(key));
        }
        self.is_by_a_secret(keys) || self.is_by_a_named_key(keys)
    }

    fn is_by(&self, key: &VerifyingKey) -> bool {
        key.verifies(self.signed, self.signature)
    }

    /// Returns whether another library, such as python-jose, signed the token with a configured secret.
    /// Ignores any `kid`. Checks the signature first, so that no forged header is decoded.
    fn is_by_a_secret(&self, keys: &[Arc<VerifyingKey>]) -> bool {
        let mut secrets = keys.iter().filter(|key| key.public().is_none());
        let Some(key) = secrets.find(|key| self.is_by(key)) else { return false };
        let Some(header) = part(self.header) else { return false };
        Object::parse(&header).is_some_and(|header| is_acceptable(&header, key))
    }

    /// Returns whether the token's header names a configured key and its algorithm, and that key signed
    /// the token. Parses no header if only secrets are configured. Checks at most one signature.
    fn is_by_a_named_key(&self, keys: &[Arc<VerifyingKey>]) -> bool {
        if keys.iter().all(|key| key.public().is_none()) {
            return false;
        }
        let Some(header) = part(self.header) else { return false };
        let Some(header) = Object::parse(&header) else { return false };
        let Some(name) = header.text("kid") else { return false };
        let key = keys.iter().find(|key| key.public().is_some_and(|public| public.id == name));
        key.is_some_and(|key| is_acceptable(&header, key) && self.is_by(key))
    }
}

fn is_acceptable(header: &Object<'_>, key: &VerifyingKey) -> bool {
    header.text("alg") == Some(key.algorithm().as_str()) && FORBIDDEN_HEADERS.iter().all(|name| !header.has(name))
}

/// Decodes a part between dots. The engine accepts exactly one encoding of each value: no padding,
/// whitespace, dots or excess bits in the last character.
fn part(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Algorithm;

    // RFC 7515, appendix A.1: the key's `k`, and the token of A.1.1. Its payload does not have the
    // claims of this service.
    const KEY: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const TOKEN: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\
        .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
        .dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn secret(algorithm: Algorithm, secret: &[u8]) -> [Arc<VerifyingKey>; 1] {
        [Arc::new(VerifyingKey::of_secret(algorithm, secret).unwrap())]
    }

    #[test]
    fn the_example_of_rfc_7515() {
        let bytes = URL_SAFE_NO_PAD.decode(KEY).unwrap();
        let key = secret(Algorithm::Hs256, &bytes);
        let payload = verify(TOKEN, &key).unwrap();
        let payload = Object::parse(&payload).unwrap();
        assert_eq!(payload.text("iss"), Some("joe"));
        assert_eq!(payload.integer("exp"), Some(1_300_819_380));
        for (at, byte) in TOKEN.bytes().enumerate() {
            let other = if byte == b'A' { "B" } else { "A" };
            let forged = format!("{}{other}{}", &TOKEN[..at], &TOKEN[at + 1..]);
            assert!(verify(&forged, &key).is_none(), "{at}");
        }
        assert!(verify(TOKEN, &secret(Algorithm::Hs384, &bytes)).is_none());
        assert!(verify(TOKEN, &secret(Algorithm::Hs256, KEY.as_bytes())).is_none());
    }

    #[test]
    fn the_length_is_bounded_before_all_else() {
        let signing = SigningKey::of_secret(Algorithm::Hs256, b"key").unwrap();
        let verifying = [signing.verifying_key()];
        let token = |fill: usize| {
            let payload = format!(r#"{{"fill":"{}"}}"#, "x".repeat(fill));
            sign(payload.as_bytes(), &signing).unwrap()
        };
        // Base64 grows in steps of three bytes.
        let longest = (6000..6200).rev().map(token).find(|token| token.len() <= MAX_BYTES).unwrap();
        assert!(longest.len() >= MAX_BYTES - 1, "{}", longest.len());
        assert!(verify(&longest, &verifying).is_some());
        let longer = (6000..6200).map(token).find(|token| token.len() > MAX_BYTES).unwrap();
        assert!(verify(&longer, &verifying).is_none());
    }
}
