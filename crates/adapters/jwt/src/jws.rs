//! The signed form: JWS compact serialisation (RFC 7515 §3.1). What the payload says is left to
//! the claims.

use crate::{algorithm::Algorithm, object::Object};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    DecodingKey, EncodingKey,
    crypto::{sign, verify},
    errors::Error,
};

/// The longest token that is looked at: some forty times what is issued.
const MAX_BYTES: usize = 8 * 1024;

/// Members by which a header would bring its own key or rules (RFC 8725 §3.10, RFC 7515
/// §4.1.11). None of them is ever needed here, so none is tolerated, whoever signed it. A `kid`
/// names a key and brings none: it is ignored.
const FOREIGN_RULES: [&str; 5] = ["jwk", "jku", "x5u", "x5c", "crit"];

/// Signs a payload.
pub(crate) fn seal(payload: &[u8], algorithm: Algorithm, key: &EncodingKey) -> Result<String, Error> {
    let header = format!(r#"{{"alg":"{}","typ":"JWT"}}"#, algorithm.as_str());
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = sign(signed.as_bytes(), key, algorithm.of_library())?;
    Ok(format!("{signed}.{signature}"))
}

/// The payload of a token that was signed with this algorithm and key and says so. The signature
/// comes first: nothing that a stranger made is decoded, let alone parsed.
pub(crate) fn open(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Option<Object> {
    if token.len() > MAX_BYTES {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    if !verify(signature, signed.as_bytes(), key, algorithm.of_library()).ok()? {
        return None;
    }
    if !is_acceptable(&part(header)?, algorithm) {
        return None;
    }
    part(payload)
}

fn is_acceptable(header: &Object, algorithm: Algorithm) -> bool {
    header.text("alg") == Some(algorithm.as_str()) && FOREIGN_RULES.iter().all(|name| !header.has(name))
}

/// A part between dots. The engine takes one spelling of each value: no padding, no white space,
/// no dot, no stray bits in the last character.
fn part(text: &str) -> Option<Object> {
    Object::parse(&URL_SAFE_NO_PAD.decode(text).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7515, appendix A.1: the key's `k`, and the token of A.1.1, whose payload is no claims
    // of ours.
    const KEY: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const TOKEN: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\
        .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
        .dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    #[test]
    fn the_example_of_rfc_7515() {
        let key = DecodingKey::from_secret(&URL_SAFE_NO_PAD.decode(KEY).unwrap());
        let payload = open(TOKEN, Algorithm::Hs256, &key).unwrap();
        assert_eq!(payload.text("iss"), Some("joe"));
        assert_eq!(payload.integer("exp"), Some(1_300_819_380));
        for (at, byte) in TOKEN.bytes().enumerate() {
            let other = if byte == b'A' { "B" } else { "A" };
            let forged = format!("{}{other}{}", &TOKEN[..at], &TOKEN[at + 1..]);
            assert!(open(&forged, Algorithm::Hs256, &key).is_none(), "{at}");
        }
        assert!(open(TOKEN, Algorithm::Hs384, &key).is_none());
        assert!(open(TOKEN, Algorithm::Hs256, &DecodingKey::from_secret(KEY.as_bytes())).is_none());
    }

    #[test]
    fn the_length_is_bounded_before_all_else() {
        let (signing, verifying) = (EncodingKey::from_secret(b"key"), DecodingKey::from_secret(b"key"));
        let token = |fill: usize| {
            let payload = format!(r#"{{"fill":"{}"}}"#, "x".repeat(fill));
            seal(payload.as_bytes(), Algorithm::Hs256, &signing).unwrap()
        };
        // Base64 grows in steps of three bytes.
        let longest = (6000..6200).rev().map(token).find(|token| token.len() <= MAX_BYTES).unwrap();
        assert!(longest.len() >= MAX_BYTES - 1, "{}", longest.len());
        assert!(open(&longest, Algorithm::Hs256, &verifying).is_some());
        let longer = (6000..6200).map(token).find(|token| token.len() > MAX_BYTES).unwrap();
        assert!(open(&longer, Algorithm::Hs256, &verifying).is_none());
    }
}
