//! Forged and malformed tokens are refused on every route that takes one: only the configured algorithm counts,
//! nothing in a token chooses a key (RFC 8725 §3), and a malformed claim never counts as absent. The adapter's
//! tests have more of each kind.

use crate::harness::jose::HEADER;
use crate::prelude::*;

on_both_databases!(
    headers_but_the_configured_one_and_brought_keys_are_refused,
    signatures_of_nothing_and_of_others_are_refused,
    a_missing_or_malformed_claim_makes_a_token_invalid,
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
    #[track_caller]
    fn refuse(&self, build: impl Fn(&str) -> String) {
        let claims = |token: &str| String::from_utf8(jose::part(token, 1)).unwrap();
        let (access, refresh) = (build(&claims(&self.pair.access)), build(&claims(&self.pair.refresh)));
        self.service.me(&access).invalid();
        self.service.refresh(&refresh).invalid();
        self.service.logout(&refresh).invalid();
    }

    /// Like `refuse`, with correctly signed claims.
    #[track_caller]
    fn refuse_claims(&self, build: impl Fn(&Value) -> String) {
        self.refuse(|claims| jose::signed(HEADER, &build(&serde_json::from_str(claims).unwrap())));
    }

    /// Checks that the genuine tokens are still valid, so no forgery had an effect.
    fn unharmed(self) {
        self.service.me(&self.pair.access).expect(200);
        self.service.refresh(&self.pair.refresh).expect(200);
    }
}

fn headers_but_the_configured_one_and_brought_keys_are_refused(service: &Service) {
    let shown = Shown::new(service);
    for name in "none|nOnE||HS384|HS512|hs256|HS256 |RS256|ES256|PS256|EdDSA|dir".split('|') {
        let header = json!({"alg": name, "typ": "JWT"}).to_string();
        shown.refuse(|claims| jose::signed(&header, claims));
        shown.refuse(|claims| format!("{}.", jose::unsigned(&header, claims)));
        shown.refuse(|claims| jose::unsigned(&header, claims));
    }
    let own = jose::base64url(&*SECRET);
    for header in [
        json!({"alg": null}),
        json!({"alg": ["HS256"]}),
        json!({"alg": "HS256", "jwk": {"kty": "oct", "k": own}}),
        json!({"alg": "HS256", "jwk": null}),
        json!({"alg": "HS256", "jku": "https://keys.example/jwks.json"}),
        json!({"alg": "HS256", "x5u": "https://keys.example/cert.pem"}),
        json!({"alg": "HS256", "crit": ["exp"]}),
        json!({"alg": "HS256", "crit": []}),
        json!({"alg": "HS256", "b64": false, "crit": ["b64"]}),
        json!({"typ": "JWT"}),
        json!(["HS256"]),
        json!(null),
    ] {
        shown.refuse(|claims| jose::signed(&header.to_string(), claims));
    }
    for header in
        ["", "{", r#"{"alg":"none","alg":"HS256"}"#, r#"{"alg":"HS256","alg":"HS256"}"#, "{\"alg\":\"HS256\"}x"]
    {
        shown.refuse(|claims| jose::signed(header, claims));
    }
    // Signed with the attacker's key.
    let own = b"a key that the attacker brings along, long enough";
    for header in [
        json!({"alg": "HS256", "jwk": {"kty": "oct", "k": jose::base64url(own), "kid": "own"}}),
        json!({"alg": "HS256", "kid": "own", "jku": "https://keys.example/jwks.json"}),
        json!({"alg": "HS256", "kid": "/dev/null"}),
        json!({"alg": "HS256", "x5c": [jose::base64url(own)]}),
    ] {
        shown.refuse(|claims| jose::signed_with(own, &jose::unsigned(&header.to_string(), claims)));
    }
    shown.unharmed();
}

fn signatures_of_nothing_and_of_others_are_refused(service: &Service) {
    let shown = Shown::new(service);
    let [of_access, of_refresh] =
        [&shown.pair.access, &shown.pair.refresh].map(|token| token.rsplit('.').next().unwrap().to_owned());
    let signature =
        |claims: &str, own: bool| if claims.contains("\"access\"") == own { &of_access } else { &of_refresh };
    for signature in ["", "AAAA", &"A".repeat(43), &of_access[..42], &of_access[1..]] {
        shown.refuse(|claims| format!("{}.{signature}", jose::unsigned(HEADER, claims)));
    }
    // Each with the other's.
    shown.refuse(|claims| format!("{}.{}", jose::unsigned(HEADER, claims), signature(claims, false)));
    for (name, value) in [("sub", json!("1")), ("exp", json!(4_000_000_000_i64)), ("jti", json!("0".repeat(32)))] {
        shown.refuse(|claims| {
            let changed = jose::with(&serde_json::from_str(claims).unwrap(), name, value.clone()).to_string();
            format!("{}.{}", jose::unsigned(HEADER, &changed), signature(claims, true))
        });
    }
    for key in [b"".as_slice(), &[0; 64], b"another secret of more than 32 bytes"] {
        shown.refuse(|claims| jose::signed_with(key, &jose::unsigned(HEADER, claims)));
    }
    // RFC 7515's JSON forms, nested tokens and encrypted ones (RFC 7516) are other formats.
    shown.refuse(|claims| json!({"payload": jose::base64url(claims), "signatures": []}).to_string());
    shown.refuse(|claims| jose::signed(r#"{"alg":"HS256","cty":"JWT"}"#, &jose::signed(HEADER, claims)));
    shown.refuse(|claims| format!("{}.a.b", jose::signed(HEADER, claims)));
    // Cut, and twice.
    shown.refuse(|claims| jose::signed(HEADER, claims)[1..].to_owned());
    shown.refuse(|claims| [jose::signed(HEADER, claims), jose::signed(HEADER, claims)].join("."));
    shown.unharmed();
}

fn a_missing_or_malformed_claim_makes_a_token_invalid(service: &Service) {
    let shown = Shown::new(service);
    for (name, values) in [
        ("exp", json!([(unix_now() + 60).to_string(), null, [unix_now() + 60], u64::MAX])),
        ("iat", json!([unix_now().to_string(), null, [], u64::MAX])),
        ("sub", json!([1, null, "", "abc", "+1", "99999999999999999999"])),
        ("jti", json!([1, null, "", "a\nb", "x".repeat(129)])),
        ("type", json!([1, null, ["access"], "ACCESS", "id"])),
    ] {
        shown.refuse_claims(|claims| jose::without(claims, name).to_string());
        for value in values.as_array().unwrap() {
            shown.refuse_claims(|claims| jose::with(claims, name, value.clone()).to_string());
        }
        // A duplicate member.
        shown.refuse_claims(|c| c.to_string().replacen('{', &format!("{{\"{name}\":{},", c[name]), 1));
    }
    for (name, value) in
        [("nbf", json!("1")), ("nbf", json!(unix_now() + 1000)), ("sid", json!(1)), ("sid", json!("x"))]
    {
        shown.refuse_claims(|claims| jose::with(claims, name, value.clone()).to_string());
    }
    shown.refuse_claims(|claims| claims.to_string().replace(&claims["exp"].to_string(), "1e400"));
    shown.refuse_claims(|claims| format!("[{claims}]"));
    let deep = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
    for text in ["", "{}", "null", "{", &deep] {
        shown.refuse_claims(|_| text.to_owned());
    }
    shown.unharmed();
}
