//! The log: one JSON object per line regardless of client input, with the acting user and no secrets.

use super::envelope::errors;
use crate::prelude::*;

on_both_databases!(every_line_of_a_request_has_its_id_and_what_happened, every_4xx_is_a_warning_of_app_errors,);

#[test]
fn every_line_is_one_json_object_whatever_the_caller_sends() {
    let service = Backend::Sqlite.service().start();
    let paths: [&[u8]; 7] =
        [b"/a%0d%0ab", b"/\xc3\xa9", b"/\xff\xfe", b"/\"}{\"", b"/\xe2\x80\xa8", b"/%1b[31mred", b"/\\u0000%00"];
    for path in paths {
        let rest: &[u8] =
            b" HTTP/1.1\r\nHost: a\r\nUser-Agent: \"}\x1b[31m\xff\r\nX-Request-ID: \"}{\r\nConnection: close\r\n\r\n";
        service.raw([b"GET ", path, rest].concat());
    }
    let hostile = "a\r\n{\"level\":\"CRITICAL\"}\u{2028}\u{1b}[31m\"}@example.com";
    service.login(hostile, hostile);
    service.register(hostile, hostile);
    service.refresh(hostile);
    for line in service.flushed_log().lines() {
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(event.is_object());
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{2028}'), "{line:?}");
        let form = event["timestamp"].as_str().unwrap().chars();
        let form: String = form.map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(form, "0000-00-00T00:00:00.000000+00:00", "{event}");
        let levels = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
        assert!(levels.contains(&event["level"].as_str().unwrap()), "{event}");
        assert!(event["name"].is_string() && event["message"].is_string(), "{event}");
    }
}

fn every_line_of_a_request_has_its_id_and_what_happened(service: &Service) {
    let register = service.register(&fresh_email(), "long enough");
    let id = register.expect(201)["id"].clone();
    let (account, pair) = service.session();
    let own = json!(account.id);
    let none = Value::Null;
    let refresh = service.refresh(&pair.refresh);
    let live = Pair::of(&refresh).refresh;
    for (reply, method, path, user) in [
        (service.get("/health"), "GET", "/health", &none),
        (service.get("/nowhere/at%20all"), "GET", "/nowhere/at%20all", &none),
        (service.call("HEAD", "/docs").send(), "HEAD", "/docs", &none),
        (service.call("DELETE", "/auth/login").send(), "DELETE", "/auth/login", &none),
        (register, "POST", "/auth/register", &id),
        (service.login(&account.email, &account.password), "POST", "/auth/login", &own),
        (refresh, "POST", "/auth/refresh", &own),
        (service.refresh(&pair.refresh), "POST", "/auth/refresh", &none),
        (service.logout(&live), "POST", "/auth/logout", &own),
    ] {
        let events = service.log.of_request(reply.request_id());
        let access: Vec<_> = events.iter().filter(|event| event["name"] == "app.access").collect();
        assert_eq!(access.len(), 2, "{events:?}");
        for (event, message) in access.iter().zip(["Request started", "Request finished"]) {
            assert_eq!(event["message"], message);
            assert_eq!((&event["method"], &event["path"]), (&json!(method), &json!(path)), "{event}");
        }
        assert_eq!(access[1]["status_code"], reply.status);
        assert!(access[1]["duration_ms"].as_f64().unwrap() >= 0.0);
        let of_user = |event: &Value| event["name"] == "app.auth.service" && event["user_id"] == *user;
        assert!(user.is_null() || events.iter().any(|e| of_user(e) && e["level"] == "INFO"), "{events:?}");
    }
    let events = service.log.events();
    let mut inside = events.iter().filter(|event| event["name"].as_str().unwrap().starts_with("app.a"));
    assert!(inside.all(|event| event["request_id"].is_string()), "a line without its request");
}

fn every_4xx_is_a_warning_of_app_errors(service: &Service) {
    for (call, _, code) in errors(service) {
        let reply = call.send();
        let mut told = service.log.of_request(reply.request_id());
        told.retain(|event| event["name"] == "app.errors");
        assert!(told.len() == 1 && told[0]["level"] == "WARNING", "{}: {told:?}", reply.request);
        assert!(told[0].to_string().contains(code), "{told:?}");
    }
}

#[test]
fn no_password_token_hash_secret_or_query_is_logged() {
    let service = Backend::Sqlite.service().set("LOG_LEVEL", "DEBUG").set("DEBUG", "true").start();
    let account = service.account_with("marker password one");
    let pair = service.sign_in(&account);
    let next = service.renewed(&pair);
    service.refresh(&pair.refresh);
    service.me(&pair.access);
    service.me(&jose::changed(&pair.access, "exp", 1));
    service.login(&account.email, "marker password two");
    service.login("marker@example.com", "marker password two");
    let login = || service.call("POST", "/auth/login");
    login().fields(&[("username", "marker@example.com"), ("password", "marker password two")]).send();
    login().body("application/json", "{\"password\":\"marker password two\"").send();
    for path in ["/health?marker=query", "/nowhere?token=marker", "/auth/me?access_token=marker", "/docs?marker"] {
        service.get(path);
    }
    service.logout(&next.refresh).expect(200);
    let hash = service.stored_hash(&account);
    service.stop();
    let output = service.log.text() + &service.errors.text();
    // `eyJ` and `$2b$` begin anything that looks like a token or a hash.
    let mut secrets = vec![SECRET.as_str(), "marker", &hash, &account.email, "eyJ", "$2b$"];
    for token in [&pair.access, &pair.refresh, &next.access, &next.refresh] {
        secrets.extend(token.split('.').skip(1));
    }
    for secret in secrets {
        assert!(!output.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn log_level_takes_pythons_names() {
    for (level, informs) in [("info", true), ("Debug", true), ("WARNING", false), ("error", false), ("CRITICAL", false)]
    {
        let service = Backend::Sqlite.service().set("LOG_LEVEL", level).set("DEBUG", "false");
        let service = service.set("BCRYPT_COST", "10").start_silent();
        let reply = service.get("/nowhere");
        service.stop();
        let events = service.log.events();
        let logged =
            |wanted: &str| events.iter().any(|e| e["level"] == wanted && e["request_id"] == reply.request_id());
        assert_eq!(logged("INFO"), informs, "{level}");
        assert_eq!(logged("WARNING"), informs || level == "WARNING", "{level}");
    }
}
