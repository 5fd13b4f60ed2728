//! Tokens forged without the key, and tokens signed with the key under an invalid header (RFC 8725 §2
//! and §3).

use super::*;
use jsonwebtoken::Algorithm::{HS384, HS512};

/// Checks that a header is rejected both without a signature and with a correct MAC.
fn refused(header: &str) {
    let (encoded, payload) = (encode(header.as_bytes()), encode(CLAIMS.as_bytes()));
    assert_eq!(verify(&format!("{encoded}.{payload}.")), Err(InvalidToken), "{header}");
    assert_eq!(verify(&sign(header, CLAIMS)), Err(InvalidToken), "{header}");
}

#[test]
fn an_algorithm_other_than_the_pinned_one() {
    for name in ["none", "None", "NONE", "nOnE", "", "hs256", "Hs256", "HS256 ", " HS256", "HS256\\u0000"] {
        refused(&format!(r#"{{"alg":"{name}","typ":"JWT"}}"#));
    }
    for name in ["HS384", "HS512", "RS256", "PS256", "ES256", "ES256K", "EdDSA", "dir", "A128KW", "PBES2-HS256+A128KW"]
    {
        refused(&format!(r#"{{"alg":"{name}","typ":"JWT"}}"#));
    }
    for header in [
        r#"{"typ":"JWT"}"#,
        r#"{"alg":null}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":{"HS256":null}}"#,
        r#"{"alg":256}"#,
        r#"{"ALG":"HS256"}"#,
        r#"["HS256","JWT"]"#,
        r#""HS256""#,
        "null",
        "",
    ] {
        refused(header);
    }
}

#[test]
fn another_hmac_of_the_right_secret() {
    for (name, algorithm) in [("HS384", HS384), ("HS512", HS512), ("HS256", HS384), ("HS256", HS512)] {
        let signed = format!("{}.{}", encode(format!(r#"{{"alg":"{name}"}}"#).as_bytes()), encode(CLAIMS.as_bytes()));
        let mac = crypto::sign(signed.as_bytes(), &EncodingKey::from_secret(SECRET), algorithm).unwrap();
        assert_eq!(verify(&format!("{signed}.{mac}")), Err(InvalidToken), "{name} {algorithm:?}");
        // A truncated MAC is not a valid shorter MAC.
        assert_eq!(verify(&format!("{signed}.{}", &mac[..43])), Err(InvalidToken), "{name} {algorithm:?}");
    }
}

#[test]
fn a_header_that_brings_its_key_or_rules() {
    for member in [
        r#""jwk":{"kty":"oct","k":"Zm9yZ2VkIHNlY3JldA"}"#,
        r#""jku":"https://attacker.example/jwks.json""#,
        r#""x5u":"https://attacker.example/cert.pem""#,
        r#""x5c":["MIIB"]"#,
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""b64":false,"crit":["b64"]"#,
        r#""jwk":null"#,
        r#""\u006aku":"https://attacker.example""#,
    ] {
        refused(&format!(r#"{{"alg":"HS256",{member}}}"#));
    }
}

#[test]
fn a_header_with_a_member_twice() {
    refused(r#"{"alg":"HS256","alg":"HS256"}"#);
    refused(r#"{"alg":"none","alg":"HS256"}"#);
    refused(r#"{"alg":"HS256","\u0061lg":"none"}"#);
    refused(r#"{"alg":"HS256","a":{"b":1,"b":2}}"#);
}

#[test]
fn a_kid_chooses_no_key() {
    for kid in ["../../../../dev/null", "' UNION SELECT 'x", "http://attacker.example", "|id", "0"] {
        let header = format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#);
        let (encoded, payload) = (encode(header.as_bytes()), encode(CLAIMS.as_bytes()));
        assert!(verify(&sign(&header, CLAIMS)).is_ok(), "{kid}");
        for secret in [b"".as_slice(), b"\0", b"x", kid.as_bytes()] {
            assert_eq!(verify(&sign_parts(&encoded, &payload, secret)), Err(InvalidToken), "{kid}");
        }
    }
}

#[test]
fn a_secret_that_is_not_quite_the_one() {
    let (header, payload) = (encode(HEADER.as_bytes()), encode(CLAIMS.as_bytes()));
    let cut = &SECRET[..SECRET.len() - 1];
    let upper = SECRET.to_ascii_uppercase();
    for secret in [b"".as_slice(), b"secret", cut, &upper, encode(SECRET).as_bytes(), HEADER.as_bytes()] {
        assert_eq!(verify(&sign_parts(&header, &payload, secret)), Err(InvalidToken));
    }
    // HMAC pads a short key with zeros, so this is the same key (RFC 2104 §2).
    assert!(verify(&sign_parts(&header, &payload, &[SECRET, &[0]].concat())).is_ok());
}

#[test]
fn parts_of_two_tokens_make_no_third() {
    let other = CLAIMS.replace("access", "refresh");
    let (one, two) = (sign(HEADER, CLAIMS), sign(HEADER, &other));
    let (one, two): (Vec<_>, Vec<_>) = (one.split('.').collect(), two.split('.').collect());
    assert_eq!(verify(&[two[0], two[1], one[2]].join(".")), Err(InvalidToken));
    assert_eq!(verify(&[one[1], one[0], one[2]].join(".")), Err(InvalidToken));
}
