//! Accepted request bodies, and members that are never bound to a row.

use crate::prelude::*;

on_both_databases!(
    application_json_and_plus_json_are_json,
    a_body_that_is_not_json_is_415,
    a_body_over_64_kib_is_413,
    a_byte_order_mark_before_json_is_skipped,
    an_encoded_body_is_415_and_says_what_is_taken,
    malformed_json_and_hostile_values_are_422,
    a_duplicate_member_is_422,
    unknown_members_are_ignored_and_never_bound_to_a_row,
);

const ROUTES: [&str; 4] = ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout"];

fn send(service: &Service, path: &str, body: impl Into<Vec<u8>>) -> Reply {
    service.call("POST", path).body("application/json", body).send()
}

fn application_json_and_plus_json_are_json(service: &Service) {
    let account = service.account();
    for media_type in [
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        "application/vnd.api+json",
        "application/ld+json; charset=\"utf-8\"",
    ] {
        let body = credentials(&account).to_string();
        service.call("POST", "/auth/login").body(media_type, body).send().expect(200);
    }
}

fn a_body_that_is_not_json_is_415(service: &Service) {
    let types = ["text/plain", "text/json", "application/xml", "application/jsonp", "multipart/form-data", "json", ""];
    let form = "application/x-www-form-urlencoded";
    for (path, media_type) in ROUTES.iter().flat_map(|path| types.iter().chain([&form]).map(move |kind| (*path, *kind)))
    {
        if (path, media_type) != ("/auth/login", form) {
            let reply = service.call("POST", path).body(media_type, "{\"email\":\"a@b.org\"}").send();
            reply.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
        }
    }
}

fn a_body_over_64_kib_is_413(service: &Service) {
    for path in ROUTES {
        let padded = |length: usize| send(service, path, format!("{{{}}}", " ".repeat(length)));
        padded(65_534).expect_error(422, "VALIDATION_ERROR");
        padded(65_535).expect_error(413, "PAYLOAD_TOO_LARGE");
    }
    service.call("POST", "/auth/login").form(&"a".repeat(70_000)).send().expect_error(413, "PAYLOAD_TOO_LARGE");
    // Counted while reading, because chunked bodies announce no length.
    let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000));
    let head =
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let replies = service.raw(format!("{head}{chunk}{chunk}{chunk}0\r\n\r\n"));
    assert!(replies[0].status == 413 && replies[0].body.contains("PAYLOAD_TOO_LARGE"), "{:?}", replies[0]);
}

fn a_byte_order_mark_before_json_is_skipped(service: &Service) {
    let account = service.account();
    let marked = |path: &str, body: Value| send(service, path, format!("\u{feff}{body}"));
    let pair = Pair::of(&marked("/auth/login", credentials(&account)));
    let pair = Pair::of(&marked("/auth/refresh", json!({"refresh_token": pair.refresh})));
    marked("/auth/logout", json!({"refresh_token": pair.refresh})).expect(200);
    marked("/auth/register", json!({"email": fresh_email(), "password": "long enough"})).expect(201);
}

fn an_encoded_body_is_415_and_says_what_is_taken(service: &Service) {
    let (account, pair) = service.session();
    let call = |path: &str, coding| service.call("POST", path).bearer(&pair.access).header("Content-Encoding", coding);
    let body = credentials(&account);
    for coding in ["gzip", "br", "identity, gzip", "x", "GZIP"] {
        let json = ROUTES.iter().chain(&["/auth/logout-all"]).map(|path| call(path, coding).json(&body));
        for reply in json.chain([call("/auth/login", coding).fields(&account.as_form())]).map(Call::send) {
            reply.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
            assert_eq!(reply.header("Accept-Encoding"), Some("identity"), "{}", reply.request);
        }
        let page = call("/account/reset", coding).fields(&[("email", "a@b.example")]).send();
        assert_eq!((page.status, page.header("Accept-Encoding")), (415, Some("identity")), "{}", page.text());
    }
    for coding in ["identity", "Identity"] {
        call("/auth/login", coding).json(&body).send().expect(200);
        call("/auth/login", coding).fields(&account.as_form()).send().expect(200);
    }
    // A 415 for another reason must not have the field (RFC 7694 §3).
    let other = service.call("POST", "/auth/login").body("text/plain", "x").send();
    assert_eq!((other.status, other.header("Accept-Encoding")), (415, None));
}

fn malformed_json_and_hostile_values_are_422(service: &Service) {
    let texts = [
        "",
        "{",
        "{]",
        "{'a':1}",
        "{\"a\":1,}",
        "{} {}",
        "nul",
        "\u{feff}\u{feff}{}",
        "[]",
        "null",
        "7",
        "\"x\"",
        "\0",
    ];
    let mut bodies: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    // Invalid UTF-8.
    bodies.push(b"{\"email\":\"a\xff@example.com\",\"password\":\"long enough\"}".to_vec());
    bodies.push(b"{\"email\":\"a@example.com\",\"password\":\"long \xc0\x80 enough\"}".to_vec());
    bodies.push(b"{\"refresh_token\":\"\xed\xa0\x80\"}".to_vec());
    bodies.push(b"\xff\xfe{\x00}\x00".to_vec());
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
    let values = [
        // Lone surrogates.
        r#""long \ud800 enough""#.to_owned(),
        r#""long \udc00 enough""#.to_owned(),
        r#""long \udc00\ud800 enough""#.to_owned(),
        // Absurdly nested or huge.
        deep("[", "]"),
        "[".repeat(60_000),
        "{\"a\":".repeat(10_000),
        "9".repeat(30_000),
        "1e999999".to_owned(),
    ];
    for value in &values {
        bodies.push(value.clone().into_bytes());
        let member = format!(r#"{{"email":{value},"password":{value},"refresh_token":{value}}}"#);
        bodies.extend((member.len() < 65_536).then(|| member.into_bytes()));
    }
    // The same in a member that the service does not read.
    bodies.push(
        format!(r#"{{"refresh_token":"x","email":"a@b.org","password":"long enough","x":{}}}"#, values[3]).into_bytes(),
    );
    for body in &bodies {
        for path in ROUTES {
            let details = send(service, path, body.as_slice()).expect_error(422, "VALIDATION_ERROR");
            assert!(!details["errors"].as_array().unwrap().is_empty(), "{path} {}", String::from_utf8_lossy(body));
        }
    }
}

fn a_duplicate_member_is_422(service: &Service) {
    let account = service.account();
    let (email, password) = (&account.email, &account.password);
    let token = r#"{"refresh_token":"a","refresh_token":"a"}"#.to_owned();
    for (path, body) in [
        ("/auth/login", format!(r#"{{"email":"x@example.com","email":"{email}","password":"{password}"}}"#)),
        ("/auth/register", format!(r#"{{"email":"x{email}","password":"long enough","password":"long enough"}}"#)),
        ("/auth/refresh", token.clone()),
        ("/auth/logout", token),
    ] {
        send(service, path, body).expect_error(422, "VALIDATION_ERROR");
    }
    let twice = [("username", email.as_str()), ("username", email), ("password", password)];
    service.call("POST", "/auth/login").fields(&twice).send().expect_error(422, "VALIDATION_ERROR");
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
    let pair = Pair::of(&service.post("/auth/login", &login));
    assert_eq!(service.me(&pair.access).expect(200)["email_verified"], false);
    let refresh = json!({"refresh_token": pair.refresh, "user_id": 1, "jti": "x"});
    service.post("/auth/refresh", &refresh).expect(200);
}
