//! The log: one JSON object per line regardless of client input, with the acting user and no secrets.

use crate::harness::accounts::Pair;
use crate::harness::databases::Backend;
use crate::harness::services::{SECRET, Service};
use crate::harness::{jose, on_both_databases};
use serde_json::{Value, json};

on_both_databases!(
    every_line_is_one_json_object_whatever_the_caller_sends,
    every_line_has_time_level_name_and_message,
    a_request_is_logged_as_started_and_finished,
    every_line_inside_a_request_has_its_id,
    what_happened_to_an_account_is_logged_with_its_id,
    every_4xx_is_a_warning_of_app_errors,
    no_password_token_hash_or_secret_is_logged,
    no_query_string_is_logged,
    log_level_takes_pythons_names,
);

fn every_line_is_one_json_object_whatever_the_caller_sends(backend: Backend) {
    let service = backend.service().start();
    let paths: [&[u8]; 7] =
        [b"/a%0d%0ab", b"/\xc3\xa9", b"/\xff\xfe", b"/\"}{\"", b"/\xe2\x80\xa8", b"/%1b[31mred", b"/\\u0000%00"];
    for path in paths {
        let mut message = b"GET ".to_vec();
        message.extend_from_slice(path);
        message.extend_from_slice(
            b" HTTP/1.1\r\nHost: a\r\nUser-Agent: \"}\x1b[31m\xff\r\nX-Request-ID: \"}{\r\nConnection: close\r\n\r\n",
        );
        service.raw(message);
    }
    let hostile = "a\r\n{\"level\":\"CRITICAL\"}\u{2028}\u{1b}[31m\"}@example.com";
    service.login(hostile, hostile);
    service.register(hostile, hostile);
    service.refresh(hostile);
    for line in service.flushed_log().lines() {
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(event.is_object());
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{2028}'), "{line:?}");
        assert_ne!(event["level"], "CRITICAL");
    }
    assert_eq!(service.errors.text(), "", "nothing is written to standard error");
}

fn every_line_has_time_level_name_and_message(service: &Service) {
    service.session();
    service.refresh("x");
    for event in service.flushed_log().events() {
        let timestamp = event["timestamp"].as_str().unwrap();
        let shape: String = timestamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000000+00:00", "{event}");
        assert!(
            ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"].contains(&event["level"].as_str().unwrap()),
            "{event}"
        );
        assert!(event["name"].is_string() && event["message"].is_string(), "{event}");
    }
}

fn a_request_is_logged_as_started_and_finished(service: &Service) {
    let (_, pair) = service.session();
    let replies = [
        (service.get("/health"), "GET", "/health"),
        (service.get("/nowhere/at%20all"), "GET", "/nowhere/at%20all"),
        (service.call("HEAD", "/docs").send(), "HEAD", "/docs"),
        (service.refresh(&pair.refresh), "POST", "/auth/refresh"),
        (service.refresh(&pair.refresh), "POST", "/auth/refresh"),
        (service.call("DELETE", "/auth/login").send(), "DELETE", "/auth/login"),
    ];
    for (reply, method, path) in replies {
        let events = service.log.of_request(reply.request_id());
        let access: Vec<_> = events.iter().filter(|event| event["name"] == "app.access").collect();
        assert_eq!(access.len(), 2, "{events:?}");
        for (event, message) in access.iter().zip(["Request started", "Request finished"]) {
            assert_eq!(event["message"], message);
            assert_eq!((&event["method"], &event["path"]), (&json!(method), &json!(path)), "{event}");
        }
        assert_eq!(access[1]["status_code"], reply.status);
        assert!(access[1]["duration_ms"].as_f64().unwrap() >= 0.0);
    }
}

fn every_line_inside_a_request_has_its_id(service: &Service) {
    let (account, pair) = service.session();
    for (reply, least) in [
        (service.login(&account.email, &account.password), 3),
        (service.login(&account.email, "wrong password"), 4),
        (service.refresh(&pair.refresh), 3),
    ] {
        let events = service.log.of_request(reply.request_id());
        assert!(events.len() >= least, "{events:?}");
    }
    let started = service.log.events();
    let started = started.iter().filter(|event| event["name"].as_str().unwrap().starts_with("app.a"));
    for event in started {
        assert!(event["request_id"].is_string(), "{event}");
    }
}

fn what_happened_to_an_account_is_logged_with_its_id(service: &Service) {
    let register = service.register(&crate::harness::accounts::fresh_email(), "long enough");
    let id = register.expect(201)["id"].clone();
    let (account, pair) = service.session();
    let login = service.login(&account.email, &account.password);
    let refresh = service.refresh(&pair.refresh);
    let logout = service.logout(&Pair::of(&refresh).refresh);
    let own = json!(account.id);
    for (reply, id) in [(register, &id), (login, &own), (refresh, &own), (logout, &own)] {
        let events = service.log.of_request(reply.request_id());
        let told = events.iter().filter(|event| event["name"] == "app.auth.service").collect::<Vec<_>>();
        assert!(told.iter().any(|event| event["user_id"] == *id && event["level"] == "INFO"), "{events:?}");
    }
}

fn every_4xx_is_a_warning_of_app_errors(service: &Service) {
    let account = service.account();
    let replies = [
        service.get("/nowhere"),
        service.call("DELETE", "/auth/login").send(),
        service.call("POST", "/auth/login").body("text/plain", "{}").send(),
        service.register("x", "x"),
        service.register(&account.email, "long enough"),
        service.login(&account.email, "wrong password"),
        service.me("x"),
        service.register(&"x".repeat(70_000), "long enough"),
    ];
    for reply in replies {
        let events = service.log.of_request(reply.request_id());
        let errors: Vec<_> = events.iter().filter(|event| event["name"] == "app.errors").collect();
        assert_eq!(errors.len(), 1, "{events:?}");
        assert_eq!(errors[0]["level"], "WARNING");
        assert!(errors[0].to_string().contains(reply.json()["error"]["code"].as_str().unwrap()), "{errors:?}");
    }
}

fn no_password_token_hash_or_secret_is_logged(backend: Backend) {
    let service = backend.service().set("LOG_LEVEL", "DEBUG").set("DEBUG", "true").start();
    let account = service.account_with("marker password one");
    let pair = service.sign_in(&account);
    let next = Pair::of(&service.refresh(&pair.refresh));
    service.refresh(&pair.refresh);
    service.me(&pair.access);
    service.me(&jose::changed(&pair.access, "exp", 1));
    service.login(&account.email, "marker password two");
    service.login("marker@example.com", "marker password two");
    service.call("POST", "/auth/login").form("username=marker%40example.com&password=marker+password+two").send();
    service.call("POST", "/auth/login").body("application/json", "{\"password\":\"marker password two\"").send();
    service.logout(&next.refresh).expect(200);
    let hash = service.stored_hash(&account);
    service.stop();
    let output = service.log.text() + &service.errors.text();
    let mut secrets = vec![SECRET.as_str(), "marker", &hash, &account.email];
    for token in [&pair.access, &pair.refresh, &next.access, &next.refresh] {
        secrets.extend(token.split('.').skip(1));
    }
    for secret in secrets {
        assert!(!output.contains(secret), "{secret} is in the log");
    }
    assert!(!output.contains("eyJ"), "something that looks like a token is in the log");
    assert!(!output.contains("$2b$"), "something that looks like a hash is in the log");
}

fn no_query_string_is_logged(service: &Service) {
    for path in ["/health?marked=query", "/nowhere?token=marked", "/auth/me?access_token=marked", "/docs?marked"] {
        let reply = service.get(path);
        let events = service.log.of_request(reply.request_id());
        assert!(!format!("{events:?}").contains("marked"), "{events:?}");
    }
    assert!(!service.flushed_log().text().contains("marked"));
}

fn log_level_takes_pythons_names(backend: Backend) {
    for (level, informs) in [("info", true), ("Debug", true), ("WARNING", false), ("error", false), ("CRITICAL", false)]
    {
        let service = backend.service().set("LOG_LEVEL", level).set("DEBUG", "false");
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
