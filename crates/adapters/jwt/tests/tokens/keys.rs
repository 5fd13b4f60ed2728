//! Tokens of key pairs and of previous keys, and forgeries with a public key.

use super::*;
use portcullis_domain::tokens::{AccessClaims, CarriedClaims, Jti};
use portcullis_jwt::{JwtIssuer, SigningKey, VerifyingKey, generate};
use portcullis_ports::TokenIssuer;
use std::sync::Arc;

const KINDS: [(Algorithm, &str, &str); 3] = [
    (Algorithm::Rs256, include_str!("../../fixtures/rs256.pem"), include_str!("../../fixtures/rs256-public.pem")),
    (Algorithm::Es256, include_str!("../../fixtures/es256.pem"), include_str!("../../fixtures/es256-public.pem")),
    (Algorithm::EdDsa, include_str!("../../fixtures/eddsa.pem"), include_str!("../../fixtures/eddsa-public.pem")),
];

fn claims() -> Claims {
    let jti = Jti::parse("0123456789abcdef0123456789abcdef").unwrap();
    let user_id = portcullis_domain::registration::UserId::new(7);
    Claims::Access(AccessClaims {
        user_id,
        jti,
        session_id: None,
        carried: CarriedClaims::default(),
        issued_at: at(IAT),
        expires_at: at(4_948_956_284),
    })
}

fn token_of(key: SigningKey) -> String {
    JwtIssuer::new(key).sign(&claims()).unwrap()
}

fn expect(verifier: &JwtVerifier, token: &str, good: bool) {
    let expected = if good { Ok(claims()) } else { Err(InvalidToken) };
    assert_eq!(verifier.verify(token, at(IAT)), expected, "{token}");
}

fn header_of(token: &str) -> String {
    let (header, _) = token.split_once('.').unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

/// Returns a token with any header, signed by the private key.
fn signed_by(algorithm: Algorithm, pem: &str, header: &str) -> String {
    let (kind, key) = match algorithm {
        Algorithm::Rs256 => (jsonwebtoken::Algorithm::RS256, EncodingKey::from_rsa_pem(pem.as_bytes())),
        Algorithm::Es256 => (jsonwebtoken::Algorithm::ES256, EncodingKey::from_ec_pem(pem.as_bytes())),
        _ => (jsonwebtoken::Algorithm::EdDSA, EncodingKey::from_ed_pem(pem.as_bytes())),
    };
    let signed = format!("{}.{}", encode(header.as_bytes()), encode(CLAIMS.as_bytes()));
    format!("{signed}.{}", crypto::sign(signed.as_bytes(), &key.unwrap(), kind).unwrap())
}

#[test]
fn a_token_names_its_key_and_is_read_by_the_public_half() {
    for (algorithm, private, public) in KINDS {
        let verifying = Arc::new(VerifyingKey::of_pem(public).unwrap());
        let id = verifying.public().unwrap().id.clone();
        let token = token_of(SigningKey::of_pem(algorithm, private).unwrap());
        assert_eq!(header_of(&token), format!(r#"{{"alg":"{}","typ":"JWT","kid":"{id}"}}"#, algorithm.as_str()));
        expect(&JwtVerifier::new(verifying, []), &token, true);
    }
}

#[test]
fn every_other_byte_makes_a_token_invalid() {
    for (algorithm, private, _) in KINDS {
        let key = SigningKey::of_pem(algorithm, private).unwrap();
        let (verifier, token) = (JwtVerifier::new(key.verifying_key(), []), token_of(key));
        for (place, byte) in token.bytes().enumerate() {
            let other = if byte == b'A' { "B" } else { "A" };
            expect(&verifier, &format!("{}{other}{}", &token[..place], &token[place + 1..]), false);
        }
        expect(&verifier, &token, true);
    }
}

/// A public key forges no token, neither as an HMAC secret nor with another algorithm.
#[test]
fn a_public_key_is_no_secret() {
    for (algorithm, private, public) in KINDS {
        let key = SigningKey::of_pem(algorithm, private).unwrap();
        let secret: &[u8] = &[9; 32];
        let old = Arc::new(VerifyingKey::of_secret(Algorithm::Hs256, secret).unwrap());
        let verifiers = [JwtVerifier::new(key.verifying_key(), []), JwtVerifier::new(key.verifying_key(), [old])];
        let id = key.verifying_key().public().unwrap().id.clone();
        let der = pem::parse(public).unwrap().into_contents();
        let secrets: [&[u8]; 6] = [public.as_bytes(), public.trim().as_bytes(), &der, id.as_bytes(), b"", b"\0"];
        let names = [algorithm.as_str(), "HS256", "HS384", "HS512", "none", "None", ""];
        for (secret, name) in secrets.iter().flat_map(|secret| names.map(|name| (secret, name))) {
            for kid in [String::new(), format!(r#","kid":"{id}""#)] {
                let header = encode(format!(r#"{{"alg":"{name}","typ":"JWT"{kid}}}"#).as_bytes());
                let token = sign_parts(&header, &encode(CLAIMS.as_bytes()), secret);
                let (unsigned, _) = token.rsplit_once('.').unwrap();
                for verifier in &verifiers {
                    expect(verifier, &token, false);
                    expect(verifier, &format!("{unsigned}."), false);
                    expect(verifier, unsigned, false);
                }
            }
        }
    }
}

#[test]
fn validly_signed_header_must_name_the_key_and_algorithm() {
    for (algorithm, private, _) in KINDS {
        let key = SigningKey::of_pem(algorithm, private).unwrap();
        let verifier = JwtVerifier::new(key.verifying_key(), []);
        let (alg, id) = (algorithm.as_str(), key.verifying_key().public().unwrap().id.clone());
        for other in [
            format!(r#"{{"typ":"JWT","kid":"{id}","alg":"{alg}"}}"#),
            format!(r#"{{ "alg" : "{alg}", "kid" : "{id}" }}"#),
        ] {
            expect(&verifier, &signed_by(algorithm, private, &other), true);
        }
        let mut refused = vec![
            format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"{alg}","kid":null}}"#),
            format!(r#"{{"alg":"{alg}","kid":"{}"}}"#, &id[1..]),
            format!(r#"{{"alg":"{alg}","kid":"{id} "}}"#),
            format!(r#"{{"alg":"{alg}","kid":["{id}"]}}"#),
            format!(r#"{{"alg":"{alg}","kid":"../../dev/null"}}"#),
            format!(r#"{{"alg":"{alg}","kid":"{id}","kid":"{id}"}}"#),
            format!(r#"{{"kid":"{id}"}}"#),
        ];
        for member in
            [r#""jwk":{}"#, r#""jku":"https://a.example""#, r#""x5u":"u""#, r#""x5c":[]"#, r#""crit":["exp"]"#]
        {
            refused.push(format!(r#"{{"alg":"{alg}","kid":"{id}",{member}}}"#));
        }
        for name in ["none", "HS256", "RS384", "PS256", "ES384", "ES256K", "Ed25519", "eddsa", "es256", "rs256"] {
            refused.push(format!(r#"{{"alg":"{name}","kid":"{id}"}}"#));
        }
        for header in refused {
            expect(&verifier, &signed_by(algorithm, private, &header), false);
        }
    }
}

#[test]
fn a_key_of_the_same_kind_is_another_key() {
    for (algorithm, private, _) in KINDS {
        let key = SigningKey::of_pem(algorithm, private).unwrap();
        let id = key.verifying_key().public().unwrap().id.clone();
        let stranger = generate(algorithm).unwrap();
        let verifier = JwtVerifier::new(key.verifying_key(), []);
        expect(&verifier, &token_of(SigningKey::of_pem(algorithm, &stranger.pem).unwrap()), false);
        let header = format!(r#"{{"alg":"{}","typ":"JWT","kid":"{id}"}}"#, algorithm.as_str());
        expect(&verifier, &signed_by(algorithm, &stranger.pem, &header), false);
    }
}

#[test]
fn previous_keys_verify_their_own_algorithm_and_no_other() {
    let old_secret = &[9; 32];
    let keys = || {
        let [rsa, ec, ed] = KINDS.map(|(algorithm, private, _)| SigningKey::of_pem(algorithm, private).unwrap());
        [SigningKey::of_secret(Algorithm::Hs256, old_secret).unwrap(), rsa, ec, ed]
    };
    let verifying = keys().map(|key| key.verifying_key());
    let tokens = keys().map(token_of);
    for (current, key) in verifying.iter().enumerate() {
        let all = JwtVerifier::new(key.clone(), verifying.iter().cloned());
        let alone = JwtVerifier::new(key.clone(), []);
        for (number, token) in tokens.iter().enumerate() {
            expect(&all, token, true);
            expect(&alone, token, number == current);
        }
        for size in [Algorithm::Hs384, Algorithm::Hs512] {
            expect(&all, &token_of(SigningKey::of_secret(size, old_secret).unwrap()), false);
        }
        // The three public keys without duplicates, and never the secret.
        let published = all.public_keys();
        assert_eq!(published.len(), 3);
        assert!(key.public().is_none_or(|key| published.first() == Some(key)), "the current one first");
    }
}

#[test]
fn several_secrets_of_one_algorithm_are_all_tried() {
    let secrets = [[1; 32].as_slice(), SECRET, &[3; 32]];
    let [current, older, eldest] = secrets.map(|s| Arc::new(VerifyingKey::of_secret(Algorithm::Hs256, s).unwrap()));
    let verifier = JwtVerifier::new(current, [older, eldest]);
    for secret in secrets {
        expect(&verifier, &token_of(SigningKey::of_secret(Algorithm::Hs256, secret).unwrap()), true);
        let header = encode(br#"{"typ":"JWT","alg":"HS256"}"#);
        expect(&verifier, &sign_parts(&header, &encode(CLAIMS.as_bytes()), secret), true);
    }
    expect(&verifier, &token_of(SigningKey::of_secret(Algorithm::Hs256, &[4; 32]).unwrap()), false);
    assert!(verifier.public_keys().is_empty());
}
