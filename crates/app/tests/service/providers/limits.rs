//! What calls of strangers cost, and what the log may not hold.

use super::*;
use crate::limits::{expect_limited, limited};

on_both_databases!(c3_31_a_source_pays_for_every_call_without_a_bearer_token, c3_33_nothing_secret_is_logged_or_stored);

fn c3_31_a_source_pays_for_every_call_without_a_bearer_token(backend: Backend) {
    let home = Home::start(backend, |setup| {
        limited(setup).set("RATE_LIMIT_SOURCE", "3/24h").set("TRUSTED_PROXIES", "127.0.0.1")
    });
    let start =
        format!("/auth/providers/corp/start?{}", crate::harness::steps::form(&parameters(&challenge(VERIFIER))));
    for (number, (method, path, body)) in [
        ("GET", "/auth/providers", None),
        ("GET", start.as_str(), None),
        ("GET", "/auth/providers/nowhere/start", None),
        ("GET", "/auth/providers/corp/callback?state=x&code=y", None),
        ("POST", "/auth/providers/corp/callback", Some(json!(null))),
        ("GET", "/auth/providers/corp/connect?token=x", None),
        ("POST", "/auth/providers/corp/connect", Some(json!(null))),
        ("POST", "/auth/code", Some(exchange("x"))),
        ("POST", "/auth/providers/corp/id-token", Some(json!({"id_token": "a.b.c"}))),
    ]
    .into_iter()
    .enumerate()
    {
        let send = || {
            let call = home.call(method, path).header("X-Forwarded-For", &format!("198.51.100.{number}"));
            match &body {
                None => call.send(),
                Some(Value::Null) => call.fields(&[("token", "x"), ("state", "y")]).send(),
                Some(body) => call.json(body).send(),
            }
        };
        (0..3).for_each(|_| assert_ne!(send().status, 429, "{method} {path}"));
        let refused = send();
        assert_eq!(refused.status, 429, "{method} {path}: {}", refused.text());
        assert!(refused.header("Retry-After").is_some(), "{method} {path}");
        if path == "/auth/providers" || path == "/auth/code" || path.ends_with("id-token") {
            expect_limited(&refused, "source", "q=3;w=86400");
        }
    }
}

fn c3_33_nothing_secret_is_logged_or_stored(backend: Backend) {
    let home = Home::alone(backend, |setup| setup.set("LOG_LEVEL", "DEBUG"));
    let person = Person::fresh();
    let returned = home.visit("corp", &person).returned();
    let pair = Pair::of(&home.exchange(&returned["code"]));
    home.exchange(&returned["code"]).revoked();
    home.exchange(&home.code("github", &Person::fresh())).expect(200);
    home.visit("corp", &Person { lie: Lie::OtherKey, ..Person::fresh() }).returned_error("server_error");
    home.visit("corp", &Person::fresh().with("nonce", "another")).returned_error("server_error");
    let wrong = json!({"code": home.code("corp", &person), "code_verifier": "v".repeat(43), "redirect_uri": BACK});
    home.post("/auth/code", &wrong).invalid();
    let native = home.server.id_token("loose", &Person::fresh());
    home.post("/auth/providers/loose/id-token", &json!({"id_token": native})).expect(200);
    home.post("/auth/providers/corp/id-token", &json!({"id_token": native})).invalid();
    let session = home.signed_in("corp", &person);
    let link =
        home.tell("POST", "/auth/providers/plain/link", &session.access, &json!({"redirect_uri": BACK})).expect(200);
    let link = link["start_url"].as_str().unwrap().to_owned();
    home.get(link.strip_prefix(PUBLIC_URL).unwrap()).page(200);
    let tab = home.tab("corp", "");
    tab.back_from("a=b", &home.server.approve(&tab.url, &person)).page(410);
    let posted =
        home.call("POST", "/auth/providers/post/callback").form(&home.server.approve(&tab.url, &person)).send();
    posted.location();
    let cookie = tab.cookie.split_once('=').unwrap().1.to_owned();
    let token = link.split_once("token=").unwrap().1.to_owned();
    let own = [returned["code"].clone(), pair.access, pair.refresh, CLIENT_SECRET.to_owned(), cookie, token];
    let secrets: Vec<_> =
        own.into_iter().chain(home.server.secrets()).chain([VERIFIER.to_owned(), "v".repeat(43)]).collect();
    assert!(secrets.len() > 40, "{}", secrets.len());
    let log = home.flushed_log().text();
    assert!(log.contains("/auth/providers/corp/callback") && log.contains("/auth/code"), "it is the log");
    let stored = home.database.dump();
    for secret in &secrets {
        assert!(!log.contains(secret), "{secret}: {}", log.lines().find(|line| line.contains(secret)).unwrap());
        assert!(!stored.contains(secret), "{secret} is stored");
    }
}
