//! Accepted request bodies, and members that are never bound to a row.

use crate::harness::accounts::{Pair, credentials, fresh_email};
use crate::harness::calls::{Call, Reply};
use crate::harness::{on_both_databases, services::Service};
use serde_json::json;

on_both_databases!(
    application_json_and_plus_json_are_json,
    a_body_that_is_not_json_is_415,
    a_body_over_64_kib_is_413,
    a_byte_order_mark_before_json_is_skipped,
    an_encoded_body_is_415_and_says_what_is_taken,
    malformed_json_is_422,
    invalid_utf8_is_422,
    a_lone_surrogate_is_422,
    a_duplicate_member_is_422,
    absurdly_nested_or_huge_values_are_422,
    unknown_members_are_ignored_and_never_bound_to_a_row,
);

const ROUTES: [&str; 4] = ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout"];

fn send(service: &Service, path: &str, body: impl Into<Vec<u8>>) -> Reply {
    service.call("POST", path).body("application/json", body).send()
}

fn application_json_and_plus_json_are_json(service: &Service) {
    let account = service.account();
    let types = [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        "application/vnd.api+json",
        "application/ld+json; charset=\"utf-8\"",
    ];
    for media_type in types {
        let reply = service.call("POST", "/auth/login").body(media_type, credentials(&account).to_string()).send();
        assert_eq!(reply.status, 200, "{media_type}: {}", reply.text());
    }
}

fn a_body_that_is_not_json_is_415(service: &Service) {
    let account = service.account();
    for media_type in
        ["text/plain", "text/json", "application/xml", "application/jsonp", "multipart/form-data", "json", ""]
    {
        for path in ROUTES {
            let reply = service.call("POST", path).body(media_type, credentials(&account).to_string()).send();
            reply.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
        }
    }
    for path in ["/auth/register", "/auth/refresh", "/auth/logout"] {
        service.call("POST", path).form("username=a&password=b").send().expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
    }
}

fn a_body_over_64_kib_is_413(service: &Service) {
    for path in ROUTES {
        let fits = format!("{{{}}}", " ".repeat(65_534));
        assert_eq!(send(service, path, fits).status, 422, "{path}: 64 KiB is read");
        let too_long = format!("{{{}}}", " ".repeat(65_535));
        send(service, path, too_long).expect_error(413, "PAYLOAD_TOO_LARGE");
    }
    service.call("POST", "/auth/login").form(&"a".repeat(70_000)).send().expect_error(413, "PAYLOAD_TOO_LARGE");
    // Counted while reading, because chunked bodies announce no length.
    let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000));
    let head =
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let replies = service.raw(format!("{head}{chunk}{chunk}{chunk}0\r\n\r\n"));
    assert_eq!(replies[0].status, 413);
    assert!(replies[0].body.contains("PAYLOAD_TOO_LARGE"));
}

fn a_byte_order_mark_before_json_is_skipped(service: &Service) {
    let account = service.account();
    let marked = |body: String| format!("\u{feff}{body}");
    let body = credentials(&account).to_string();
    let pair = Pair::of(&send(service, "/auth/login", marked(body)));
    let refresh = marked(json!({"refresh_token": pair.refresh}).to_string());
    let pair = Pair::of(&send(service, "/auth/refresh", refresh));
    send(service, "/auth/logout", marked(json!({"refresh_token": pair.refresh}).to_string())).expect(200);
    let fresh = json!({"email": fresh_email(), "password": "long enough"});
    send(service, "/auth/register", marked(fresh.to_string())).expect(201);
}

fn an_encoded_body_is_415_and_says_what_is_taken(service: &Service) {
    let (account, pair) = service.session();
    let call =
        |path: &str, coding: &str| service.call("POST", path).bearer(&pair.access).header("Content-Encoding", coding);
    let body = credentials(&account).to_string();
    let form = format!("username={}&password={}", account.email, account.password.replace(' ', "+"));
    for coding in ["gzip", "br", "identity, gzip", "x", "GZIP"] {
        let json = ROUTES
            .iter()
            .chain(&["/auth/logout-all"])
            .map(|path| call(path, coding).body("application/json", body.as_str()));
        let forms = [call("/auth/login", coding).form(&form)];
        for reply in json.chain(forms).map(Call::send) {
            reply.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
            assert_eq!(reply.header("Accept-Encoding"), Some("identity"));
        }
        let page = call("/account/reset", coding).form("email=a%40b.example").send();
        assert_eq!((page.status, page.header("Accept-Encoding")), (415, Some("identity")), "{}", page.text());
    }
    for coding in ["identity", "Identity"] {
        call("/auth/login", coding).body("application/json", body.as_str()).send().expect(200);
        call("/auth/login", coding).form(&form).send().expect(200);
    }
    // A 415 for another reason must not have the field (RFC 7694 §3).
    let other = service.call("POST", "/auth/login").body("text/plain", "x").send();
    assert_eq!((other.status, other.header("Accept-Encoding")), (415, None));
}

fn malformed_json_is_422(service: &Service) {
    for body in
        ["", "{", "{]", "{'a':1}", "{\"a\":1,}", "{} {}", "nul", "\u{feff}\u{feff}{}", "[]", "null", "7", "\"x\"", "\0"]
    {
        for path in ROUTES {
            let reply = send(service, path, body);
            let details = reply.expect_error(422, "VALIDATION_ERROR");
            assert!(!details["errors"].as_array().unwrap().is_empty(), "{path} {body:?}");
        }
    }
}

fn invalid_utf8_is_422(service: &Service) {
    let bodies: [&[u8]; 4] = [
        b"{\"email\":\"a\xff@example.com\",\"password\":\"long enough\"}",
        b"{\"email\":\"a@example.com\",\"password\":\"long \xc0\x80 enough\"}",
        b"{\"refresh_token\":\"\xed\xa0\x80\"}",
        b"\xff\xfe{\x00}\x00",
    ];
    for body in bodies {
        for path in ROUTES {
            send(service, path, body).expect_error(422, "VALIDATION_ERROR");
        }
    }
}

fn a_lone_surrogate_is_422(service: &Service) {
    for text in [r"long \ud800 enough", r"long \udc00 enough", r"long \udc00\ud800 enough"] {
        let body = format!(r#"{{"email":"{}","password":"{text}","refresh_token":"{text}"}}"#, fresh_email());
        for path in ROUTES {
            send(service, path, body.as_str()).expect_error(422, "VALIDATION_ERROR");
        }
    }
}

fn a_duplicate_member_is_422(service: &Service) {
    let account = service.account();
    let (email, password) = (&account.email, &account.password);
    let login = format!(r#"{{"email":"x@example.com","email":"{email}","password":"{password}"}}"#);
    send(service, "/auth/login", login).expect_error(422, "VALIDATION_ERROR");
    let fresh = fresh_email();
    let register = format!(r#"{{"email":"{fresh}","password":"long enough","password":"long enough"}}"#);
    send(service, "/auth/register", register).expect_error(422, "VALIDATION_ERROR");
    let token = r#"{"refresh_token":"a","refresh_token":"a"}"#;
    send(service, "/auth/refresh", token).expect_error(422, "VALIDATION_ERROR");
    send(service, "/auth/logout", token).expect_error(422, "VALIDATION_ERROR");
    let twice = format!("username={email}&username={email}&password=x");
    service.call("POST", "/auth/login").form(&twice).send().expect_error(422, "VALIDATION_ERROR");
}

fn absurdly_nested_or_huge_values_are_422(service: &Service) {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
    let digits = "9".repeat(30_000);
    let values = [deep("[", "]"), "[".repeat(60_000), "{\"a\":".repeat(10_000), digits, "1e999999".to_owned()];
    for value in values {
        for path in ROUTES {
            send(service, path, value.as_str()).expect_error(422, "VALIDATION_ERROR");
            let member = format!(r#"{{"email":{value},"password":{value},"refresh_token":{value}}}"#);
            if member.len() < 65_536 {
                send(service, path, member).expect_error(422, "VALIDATION_ERROR");
            }
        }
    }
    // The same inside a member that the service does not read.
    let unasked = format!(r#"{{"refresh_token":"x","unknown":{}}}"#, deep("[", "]"));
    send(service, "/auth/refresh", unasked).expect_error(422, "VALIDATION_ERROR");
}

fn unknown_members_are_ignored_and_never_bound_to_a_row(service: &Service) {
    let email = fresh_email();
    let body = json!({
        "email": email, "password": "long enough",
        "id": 4711, "is_active": false, "is_admin": true, "role": "admin", "email_verified": true,
        "created_at": "1999-01-01T00:00:00Z", "hashed_password": "x", "unknown": {"deep": [1, 2]},
    });
    let created = service.post("/auth/register", &body).expect(201);
    assert_ne!(created["id"], 4711);
    assert_eq!(created["is_active"], true);
    assert!(!created["created_at"].as_str().unwrap().starts_with("1999"));
    assert_eq!(service.database.count(&format!("FROM users WHERE email = '{email}' AND is_active")), 1);
    let login = json!({"email": email, "password": "long enough", "jti": "x", "user_id": 1});
    let pair = crate::harness::accounts::Pair::of(&service.post("/auth/login", &login));
    let me = service.me(&pair.access).expect(200);
    assert_eq!(me["email_verified"], false);
    let refresh = json!({"refresh_token": pair.refresh, "user_id": 1, "jti": "x"});
    service.post("/auth/refresh", &refresh).expect(200);
}
