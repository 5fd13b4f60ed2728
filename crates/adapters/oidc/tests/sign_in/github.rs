//! GitHub and GitHub Enterprise.

use crate::world::{World, authorization, callback, config, failure, rejection, response, timeout};
use chrono::TimeDelta;
use portcullis_domain::providers::{IdentityKey, ProviderKind};
use portcullis_oidc::ProviderConfig;
use portcullis_ports::{AuthorizationRequest, Clock, CodeCallback, IdentityProvider, OutboundResponse};
use serde_json::{Value, json};

const TOKEN: &str = "https://github.com/login/oauth/access_token";
const USER: &str = "https://api.github.com/user";
const EMAILS: &str = "https://api.github.com/user/emails?per_page=100";

fn github(issuer: &str) -> ProviderConfig {
    let scopes = "user:email".to_owned();
    ProviderConfig { kind: ProviderKind::GitHub, issuer: issuer.to_owned(), scopes, ..config() }
}

fn emails() -> Value {
    json!([
        {"email": "old@example.com", "primary": false, "verified": true, "visibility": null},
        {"email": "Ada@example.com", "primary": true, "verified": true, "visibility": "private"},
    ])
}

fn world() -> World {
    let world = World::of(github("https://github.com"));
    world.serve(TOKEN, &json!({"access_token": "gho_1", "token_type": "bearer", "scope": "user:email"}));
    world.serve(USER, &json!({"id": 583_231, "login": "ada", "email": "public@example.com"}));
    world.serve(EMAILS, &emails());
    world
}

#[test]
fn authorization_url_has_no_nonce() {
    let request = AuthorizationRequest {
        login_hint: Some("ada".to_owned()),
        prompt: Some("select_account".to_owned()),
        ..authorization()
    };
    let query = "response_type=code&client_id=client-1&redirect_uri=https%3A%2F%2Fapp.example%2Fcallback%3Fa%3Db\
        &scope=user%3Aemail&state=state-1&code_challenge=challenge-1&code_challenge_method=S256\
        &login=ada&prompt=select_account";
    assert_eq!(
        world().provider.authorization_url(&request).unwrap(),
        format!("https://github.com/login/oauth/authorize?{query}")
    );
    for issuer in ["https://ghe.example/git", "https://ghe.example/git/"] {
        let url = World::of(github(issuer)).provider.authorization_url(&request).unwrap();
        assert_eq!(url, format!("https://ghe.example/git/login/oauth/authorize?{query}"));
    }
}

#[test]
fn account_and_primary_email_are_read() {
    let world = world();
    let profile = world.redeem().unwrap();
    assert_eq!(profile.key, IdentityKey::new("https://github.com", "583231").unwrap());
    assert_eq!(profile.email.unwrap().original(), "Ada@example.com");
    assert!(profile.email_trusted && !profile.multi_factor);
    let [exchange] = &world.requests(TOKEN)[..] else { panic!("one request") };
    let form = exchange.form.as_ref().unwrap();
    for field in [("client_secret", "s3cret"), ("code", "code-1"), ("code_verifier", "verifier-1")] {
        assert!(form.contains(&(field.0, field.1.to_owned())), "{field:?}");
    }
    let [user] = &world.requests(USER)[..] else { panic!("one request") };
    assert!(user.headers.contains(&("Authorization", "Bearer gho_1".to_owned())));
}

#[test]
fn only_a_primary_verified_email_is_trusted() {
    for (emails, email, trusted) in [
        (json!([{"email": "a@example.com", "primary": true, "verified": false}]), Some("a@example.com"), false),
        (json!([{"email": "a@example.com", "primary": true, "verified": "true"}]), Some("a@example.com"), false),
        (json!([{"email": "a@example.com", "primary": false, "verified": true}]), None, false),
        (json!([]), None, false),
        (json!(["a@example.com"]), None, false),
    ] {
        let world = world();
        world.serve(EMAILS, &emails);
        let profile = world.redeem().unwrap();
        assert_eq!(profile.email.as_ref().map(|email| email.original()), email, "{emails}");
        assert_eq!(profile.email_trusted, trusted, "{emails}");
    }
}

#[test]
fn wrong_responses_are_rejected_and_errors_unavailable() {
    let world = world();
    world.serve(TOKEN, &json!({"error": "bad_verification_code", "error_description": "expired"}));
    assert_eq!(rejection(world.redeem()), "the code is invalid or used");
    world.serve(TOKEN, &json!({ "error": "incorrect_client_credentials" }));
    assert_eq!(failure(world.redeem()), "token_endpoint: status 200 incorrect_client_credentials");
    world.serve(TOKEN, &json!({ "scope": "" }));
    assert_eq!(rejection(world.redeem()), "access_token is missing");

    let world = self::world();
    for id in [json!("583231"), json!(1.5), Value::Null] {
        world.serve(USER, &json!({ "id": id }));
        assert_eq!(rejection(world.redeem()), "id is missing or malformed");
    }
    world.respond(USER, Ok(response(403, "{}")));
    assert_eq!(failure(world.redeem()), "user: status 403");
    let world = self::world();
    world.respond(EMAILS, Err(timeout()));
    assert!(failure(world.redeem()).ends_with("unavailable: timeout"));
    world.serve(EMAILS, &json!({}));
    assert_eq!(failure(world.redeem()), "user/emails: not a JSON array");
}

#[test]
fn enterprise_server_has_its_own_api() {
    let world = World::of(github("https://ghe.example"));
    world.serve("https://ghe.example/login/oauth/access_token", &json!({"access_token": "a", "token_type": "bearer"}));
    world.serve("https://ghe.example/api/v3/user", &json!({ "id": 7 }));
    world.serve("https://ghe.example/api/v3/user/emails?per_page=100", &emails());
    assert_eq!(world.redeem().unwrap().key, IdentityKey::new("https://ghe.example", "7").unwrap());
}

#[test]
fn foreign_response_issuer_and_id_tokens_are_refused() {
    let world = world();
    let redeem = |issuer: &str| {
        let callback = CodeCallback { issuer: Some(issuer.to_owned()), ..callback() };
        world.provider.redeem(&callback, world.clock.now())
    };
    assert!(redeem("https://github.com").is_ok() && redeem("https://github.com/login/oauth").is_ok());
    assert_eq!(rejection(redeem("https://evil.example")), "iss of the authorization response");
    assert_eq!(rejection(world.native("a.b.c", None)), "GitHub has no ID tokens");
}

#[test]
fn check_needs_a_response_of_the_api() {
    let world = world();
    let api = "https://api.github.com/rate_limit";
    let date = Some("Fri, 15 Jan 2027 07:59:00 GMT".to_owned());
    world.respond(api, Ok(OutboundResponse { date, ..response(401, "{}") }));
    let status = world.provider.check(world.clock.now()).unwrap();
    assert_eq!((status.keys, status.clock_skew), (None, Some(TimeDelta::seconds(-60))));
    world.respond(api, Ok(response(502, "")));
    assert_eq!(failure(world.provider.check(world.clock.now())), "api: status 502");
}
