//! Claims that are missing, duplicated or of a wrong JSON type make a token invalid; a malformed claim never
//! counts as absent. All tokens here are correctly signed.

use crate::harness::jose::{self, HEADER};
use crate::harness::{on_both_databases, services::Service};
use serde_json::{Value, json};

on_both_databases!(
    a_claim_of_a_wrong_json_type_makes_a_token_invalid,
    a_missing_claim_makes_a_token_invalid,
    a_value_out_of_range_makes_a_token_invalid,
    a_duplicate_member_makes_a_token_invalid,
    claims_that_are_no_object_make_a_token_invalid,
    unknown_claims_are_ignored,
    a_token_made_by_python_jose_is_accepted,
);

/// Presents a token as each kind. All must be refused as invalid.
fn expect_invalid(service: &Service, claims: &str) {
    let token = jose::signed(HEADER, claims);
    for reply in [service.me(&token), service.refresh(&token), service.logout(&token)] {
        assert_eq!(reply.status, 401, "{claims}: {}", reply.text());
        reply.expect_error(401, "AUTH_TOKEN_INVALID");
    }
}

/// Returns valid claims of both kinds.
fn good(service: &Service) -> [Value; 2] {
    let (account, pair) = service.session();
    [jose::access_claims(account.id), jose::claims(&pair.refresh)]
}

fn a_claim_of_a_wrong_json_type_makes_a_token_invalid(service: &Service) {
    for claims in good(service) {
        let id = claims["sub"].as_str().unwrap().parse::<i64>().unwrap();
        let exp = &claims["exp"];
        let wrong = [
            ("exp", vec![json!(exp.to_string()), json!("never"), json!(null), json!([exp]), json!({}), json!(true)]),
            ("iat", vec![json!(claims["iat"].to_string()), json!(null), json!([]), json!({}), json!(false)]),
            ("sub", vec![json!(id), json!(null), json!({}), json!([id.to_string()]), json!(true)]),
            ("jti", vec![json!(1), json!(null), json!({}), json!([claims["jti"]]), json!(false)]),
            ("type", vec![json!(1), json!(null), json!({}), json!([claims["type"]]), json!(true)]),
            ("nbf", vec![json!("1"), json!([]), json!({}), json!(true)]),
            ("sid", vec![json!(1), json!(null), json!([]), json!({}), json!(""), json!("x"), json!("A".repeat(32))]),
        ];
        for (name, values) in wrong {
            for value in values {
                expect_invalid(service, &jose::with(&claims, name, value).to_string());
            }
        }
    }
}

fn a_missing_claim_makes_a_token_invalid(service: &Service) {
    for claims in good(service) {
        for name in ["exp", "iat", "sub", "jti", "type"] {
            expect_invalid(service, &jose::without(&claims, name).to_string());
        }
    }
}

fn a_value_out_of_range_makes_a_token_invalid(service: &Service) {
    for claims in good(service) {
        let values = [
            ("sub", json!("")),
            ("sub", json!("abc")),
            ("sub", json!("1.0")),
            ("sub", json!(" 1")),
            ("sub", json!("+1")),
            ("sub", json!("99999999999999999999")),
            ("jti", json!("")),
            ("jti", json!("a\nb")),
            ("jti", json!("x".repeat(129))),
            ("type", json!("")),
            ("type", json!("ACCESS")),
            ("type", json!("Refresh")),
            ("type", json!("id")),
            ("exp", json!(-1.5)),
            ("exp", json!(u64::MAX)),
            ("iat", json!(u64::MAX)),
        ];
        for (name, value) in values {
            expect_invalid(service, &jose::with(&claims, name, value).to_string());
        }
        let exp = claims["exp"].to_string();
        for number in
            ["1e400", "1e19", "99999999999999999999999", "-99999999999999999999", "0x7fffffff", "NaN", "Infinity"]
        {
            expect_invalid(service, &claims.to_string().replace(&exp, number));
        }
    }
}

fn a_duplicate_member_makes_a_token_invalid(service: &Service) {
    for claims in good(service) {
        let text = claims.to_string();
        for (name, value) in claims.as_object().unwrap() {
            expect_invalid(service, &text.replacen('{', &format!("{{\"{name}\":{value},"), 1));
        }
        let relabelled = text.replacen('{', r#"{"type":"other","#, 1);
        expect_invalid(service, &relabelled);
    }
}

fn claims_that_are_no_object_make_a_token_invalid(service: &Service) {
    let [access, _] = good(service);
    let deep = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
    for claims in
        ["", "{}", "[]", "null", "1", "\"x\"", "{", "\0", &format!("[{access}]"), &format!("{access}{access}"), &deep]
    {
        expect_invalid(service, claims);
    }
    let latin1 = access.to_string().replacen('{', "{\"x\":\"\u{e9}\",", 1);
    let bytes: Vec<_> = latin1.chars().map(|character| character as u8).collect();
    let input = format!("{}.{}", jose::base64url(HEADER), jose::base64url(bytes));
    let token = jose::signed_with(crate::harness::services::SECRET.as_bytes(), &input);
    service.me(&token).expect_error(401, "AUTH_TOKEN_INVALID");
}

fn unknown_claims_are_ignored(service: &Service) {
    let [access, refresh] = good(service);
    let more = |claims: &Value| {
        let claims = jose::with(claims, "role", json!(["admin"]));
        jose::token(&jose::with(&jose::with(&claims, "iss", "elsewhere"), "name", json!({"first": "é"})))
    };
    service.me(&more(&access)).expect(200);
    service.refresh(&more(&refresh)).expect(200);
}

/// Header and member order as python-jose writes them.
fn a_token_made_by_python_jose_is_accepted(service: &Service) {
    let [access, refresh] = good(service).map(|c| {
        let (sub, jti, kind, exp, iat) = (&c["sub"], &c["jti"], &c["type"], &c["exp"], &c["iat"]);
        jose::signed(HEADER, &format!(r#"{{"sub":{sub},"jti":{jti},"type":{kind},"exp":{exp},"iat":{iat}}}"#))
    });
    service.me(&access).expect(200);
    service.refresh(&refresh).expect(200);
}
