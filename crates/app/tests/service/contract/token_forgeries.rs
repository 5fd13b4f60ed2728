//! Forged tokens are refused on every route that takes one: only the configured algorithm counts, and nothing
//! in a token chooses a key (RFC 8725 §3).

use crate::harness::jose::{self, HEADER};
use crate::harness::services::{SECRET, Service};
use crate::harness::{accounts::Pair, on_both_databases};
use serde_json::{Value, json};

on_both_databases!(
    no_algorithm_but_the_configured_one_is_accepted,
    validly_signed_header_with_a_key_or_crit_is_refused,
    a_header_that_is_no_header_is_refused,
    a_key_in_the_token_is_no_key,
    changed_claims_break_the_signature,
    signatures_of_nothing_and_of_others_are_refused,
    a_genuine_header_of_another_library_is_accepted,
);

struct Shown<'a> {
    service: &'a Service,
    pair: Pair,
}

impl<'a> Shown<'a> {
    fn new(service: &'a Service) -> Self {
        Self { service, pair: service.session().1 }
    }

    /// Builds a token from each genuine one's claims and presents it where the genuine one would be valid.
    fn expect_refused(&self, build: impl Fn(&str) -> String) {
        let (access, refresh) = (build(&claims_of(&self.pair.access)), build(&claims_of(&self.pair.refresh)));
        let service = self.service;
        for (reply, token) in [
            (service.me(&access), &access),
            (service.refresh(&refresh), &refresh),
            (service.logout(&refresh), &refresh),
        ] {
            assert_eq!(reply.status, 401, "{token}: {}", reply.text());
            reply.expect_error(401, "AUTH_TOKEN_INVALID");
        }
    }

    /// Checks that the genuine tokens are still valid, so no forgery had an effect.
    fn unharmed(self) {
        self.service.me(&self.pair.access).expect(200);
        self.service.refresh(&self.pair.refresh).expect(200);
    }
}

fn claims_of(token: &str) -> String {
    String::from_utf8(jose::part(token, 1)).unwrap()
}

fn no_algorithm_but_the_configured_one_is_accepted(service: &Service) {
    let shown = Shown::new(service);
    let names = [
        "none", "None", "NONE", "nOnE", "", "HS384", "HS512", "hs256", "HS256 ", "RS256", "RS512", "ES256", "PS256",
        "EdDSA", "dir", "A128KW",
    ];
    for name in names {
        let header = json!({"alg": name, "typ": "JWT"}).to_string();
        shown.expect_refused(|claims| jose::signed(&header, claims));
        shown.expect_refused(|claims| format!("{}.", jose::unsigned(&header, claims)));
        shown.expect_refused(|claims| jose::unsigned(&header, claims));
    }
    for alg in [json!(null), json!(["HS256"]), json!(256), json!({"HS256": 1}), json!(true)] {
        shown.expect_refused(|claims| jose::signed(&json!({"alg": alg}).to_string(), claims));
    }
    shown.unharmed();
}

fn validly_signed_header_with_a_key_or_crit_is_refused(service: &Service) {
    let shown = Shown::new(service);
    let jwk = json!({"kty": "oct", "k": jose::base64url(&*SECRET)});
    let members = [
        ("jwk", jwk),
        ("jku", json!("https://keys.example/jwks.json")),
        ("x5u", json!("https://keys.example/cert.pem")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(["b64"])),
        ("jwk", json!(null)),
        ("jku", json!("")),
    ];
    for (name, value) in members {
        let header = json!({"alg": "HS256", "typ": "JWT", name: value}).to_string();
        shown.expect_refused(|claims| jose::signed(&header, claims));
    }
    let unencoded = r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#;
    shown.expect_refused(|claims| jose::signed(unencoded, claims));
    shown.unharmed();
}

fn a_header_that_is_no_header_is_refused(service: &Service) {
    let shown = Shown::new(service);
    let headers = [
        "",
        "{}",
        "[]",
        "null",
        "\"HS256\"",
        "{",
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS256""#,
        "{\"alg\":\"HS256\"}x",
    ];
    for header in headers {
        shown.expect_refused(|claims| jose::signed(header, claims));
    }
    shown.unharmed();
}

fn a_key_in_the_token_is_no_key(service: &Service) {
    let shown = Shown::new(service);
    let own = b"a key that the attacker brings along, long enough";
    let forge = |header: &Value, claims: &str| jose::signed_with(own, &jose::unsigned(&header.to_string(), claims));
    let jwk = json!({"kty": "oct", "k": jose::base64url(own), "kid": "own"});
    for header in [
        json!({"alg": "HS256", "jwk": jwk}),
        json!({"alg": "HS256", "kid": "own", "jku": "https://keys.example/jwks.json"}),
        json!({"alg": "HS256", "kid": "/dev/null"}),
        json!({"alg": "HS256", "kid": "' UNION SELECT 'x"}),
        json!({"alg": "HS256", "x5c": [jose::base64url(own)]}),
    ] {
        shown.expect_refused(|claims| forge(&header, claims));
    }
    let empty = |claims: &str| jose::signed_with(b"", &jose::unsigned(HEADER, claims));
    shown.expect_refused(empty);
    shown.expect_refused(|claims| jose::signed_with(&[0; 64], &jose::unsigned(HEADER, claims)));
    shown.unharmed();
}

fn changed_claims_break_the_signature(service: &Service) {
    let shown = Shown::new(service);
    let genuine = [&shown.pair.access, &shown.pair.refresh].map(|token| token.rsplit('.').next().unwrap().to_owned());
    for (name, value) in [("sub", json!("1")), ("exp", json!(4_000_000_000_i64)), ("jti", json!("0".repeat(32)))] {
        shown.expect_refused(|claims| {
            let signature = if claims.contains("access") { &genuine[0] } else { &genuine[1] };
            let claims = jose::with(&serde_json::from_str(claims).unwrap(), name, value.clone());
            format!("{}.{signature}", jose::unsigned(HEADER, &claims.to_string()))
        });
    }
    shown.unharmed();
}

fn signatures_of_nothing_and_of_others_are_refused(service: &Service) {
    let shown = Shown::new(service);
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let (of_access, of_refresh) = (signature(&shown.pair.access), signature(&shown.pair.refresh));
    for signature in ["", "AAAA", &"A".repeat(43), &of_access[..42], &of_access[1..]] {
        shown.expect_refused(|claims| format!("{}.{signature}", jose::unsigned(HEADER, claims)));
    }
    // Each with the other's.
    shown.expect_refused(|claims| {
        let other = if claims.contains("access") { &of_refresh } else { &of_access };
        format!("{}.{other}", jose::unsigned(HEADER, claims))
    });
    // RFC 7515's JSON forms, nested tokens and encrypted ones (RFC 7516) are other formats.
    shown.expect_refused(|claims| json!({"payload": jose::base64url(claims), "signatures": []}).to_string());
    shown.expect_refused(|claims| jose::signed(r#"{"alg":"HS256","cty":"JWT"}"#, &jose::signed(HEADER, claims)));
    shown.expect_refused(|claims| format!("{}.a.b", jose::signed(HEADER, claims)));
    shown.unharmed();
}

fn a_genuine_header_of_another_library_is_accepted(service: &Service) {
    let (_, pair) = service.session();
    for header in [r#"{"alg":"HS256"}"#, r#"{"typ":"JWT","alg":"HS256"}"#, "{ \"alg\" : \"HS256\" }"] {
        service.me(&jose::signed(header, &claims_of(&pair.access))).expect(200);
    }
}
