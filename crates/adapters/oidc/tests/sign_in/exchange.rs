//! Authorization URL, response issuer and code exchange.

use crate::test_keys::pem;
use crate::world::{
    DISCOVERY, ISSUER, TOKEN, World, authorization, callback, config, discovery, failure, rejection, response, timeout,
    token_with, with,
};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use portcullis_oidc::{ConfigError, Credential, KeyCaches, OidcProvider, ProviderConfig};
use portcullis_ports::{AuthorizationRequest, Clock, CodeCallback, IdentityProvider, OutboundError};
use serde_json::json;
use std::sync::Arc;

#[test]
fn authorization_url_has_all_parameters() {
    let url = World::new().provider.authorization_url(&authorization()).unwrap();
    let expected = "https://op.example/authorize?tenant=1&response_type=code&client_id=client-1\
        &redirect_uri=https%3A%2F%2Fapp.example%2Fcallback%3Fa%3Db&scope=openid+email&state=state-1\
        &code_challenge=challenge-1&code_challenge_method=S256&nonce=nonce-1";
    assert_eq!(url, expected);
    let config = ProviderConfig { response_mode: Some("form_post".to_owned()), ..config() };
    let request = AuthorizationRequest {
        login_hint: Some("a&b@example.com".to_owned()),
        prompt: Some("select_account".to_owned()),
        ..authorization()
    };
    let url = World::of(config).provider.authorization_url(&request).unwrap();
    let further = "&response_mode=form_post&login_hint=a%26b%40example.com&prompt=select_account";
    assert_eq!(url, format!("{expected}{further}"));
}

#[test]
fn code_exchange_sends_verifier_and_secret() {
    // RFC 6749 §2.3.1: id and secret are form-encoded before they are joined.
    let special = || ProviderConfig { credential: Credential::Secret("s:3 +é".into()), ..config() };
    let world = World::of(special());
    assert!(world.redeem().is_ok());
    let [request] = &world.requests(TOKEN)[..] else { panic!("one request") };
    let form = vec![
        ("grant_type", "authorization_code".to_owned()),
        ("code", "code-1".to_owned()),
        ("redirect_uri", "https://app.example/callback".to_owned()),
        ("code_verifier", "verifier-1".to_owned()),
    ];
    assert_eq!(request.form.as_ref(), Some(&form));
    // "client-1:s%3A3+%2B%C3%A9"
    let basic = ("Authorization", "Basic Y2xpZW50LTE6cyUzQTMrJTJCJUMzJUE5".to_owned());
    assert_eq!(request.headers, [basic.clone(), ("Accept", "application/json".to_owned())]);

    for (methods, posts) in [
        (json!(["client_secret_post"]), true),
        (json!(["private_key_jwt", "client_secret_post"]), true),
        (json!(["client_secret_post", "client_secret_basic"]), false),
        (json!([]), false),
    ] {
        let world = World::of(special());
        world.serve(DISCOVERY, &with(discovery(), json!({ "token_endpoint_auth_methods_supported": methods })));
        assert!(world.redeem().is_ok());
        let [request] = &world.requests(TOKEN)[..] else { panic!("one request") };
        assert_eq!(request.headers.contains(&basic), !posts, "{methods}");
        let secret = ("client_secret", "s:3 +é".to_owned());
        assert_eq!(request.form.as_ref().unwrap().contains(&secret), posts, "{methods}");
    }
}

/// RFC 9207: mix-up
#[test]
fn issuer_of_the_response_must_match() {
    let redeem = |announces: bool, issuer: Option<&str>| {
        let world = World::new();
        let announced = json!({ "authorization_response_iss_parameter_supported": announces });
        world.serve(DISCOVERY, &with(discovery(), announced));
        let callback = CodeCallback { issuer: issuer.map(str::to_owned), ..callback() };
        (world.provider.redeem(&callback, world.clock.now()), world.requests(TOKEN).len())
    };
    for (announces, issuer) in [(true, Some(ISSUER)), (false, Some(ISSUER)), (false, None)] {
        assert!(redeem(announces, issuer).0.is_ok());
    }
    for (announces, issuer) in
        [(true, None), (true, Some("https://evil.example")), (false, Some("https://op.example/"))]
    {
        let (outcome, exchanges) = redeem(announces, issuer);
        assert_eq!(rejection(outcome), "iss of the authorization response");
        assert_eq!(exchanges, 0, "the code went to the token endpoint");
    }
}

#[test]
fn only_a_wrong_code_is_rejected() {
    let world = World::new();
    world.respond(TOKEN, Ok(response(400, r#"{"error":"invalid_grant"}"#)));
    assert_eq!(rejection(world.redeem()), "the code is invalid or used");
    for (outcome, reason) in [
        (Ok(response(401, r#"{"error":"invalid_client"}"#)), "token_endpoint: status 401 invalid_client"),
        (Ok(response(400, r#"{"error":"Evil\nline"}"#)), "token_endpoint: status 400 "),
        (Ok(response(400, json!({ "error": "a".repeat(41) }))), "token_endpoint: status 400 "),
        (Ok(response(503, r#"{"error":"invalid_grant"}"#)), "token_endpoint: status 503 invalid_grant"),
        (Ok(response(302, "")), "token_endpoint: status 302 "),
        (Ok(response(200, "<html>")), "token_endpoint: not a JSON object"),
        (Err(timeout()), "token_endpoint: unavailable: timeout"),
        (Err(OutboundError::TooLarge), "token_endpoint: the response is larger than 256 KiB"),
        (Err(OutboundError::CircuitOpen), "token_endpoint: the circuit is open"),
    ] {
        world.respond(TOKEN, outcome);
        assert_eq!(failure(world.redeem()), reason);
    }
}

#[test]
fn malformed_token_response_is_refused() {
    let world = World::new();
    let valid = json!({"access_token": "a", "token_type": "bearer", "id_token": token_with(json!({}))});
    for (changes, reason) in [
        (json!({ "id_token": null }), "id_token is missing"),
        (json!({ "id_token": 1 }), "id_token is missing or malformed"),
        (json!({ "token_type": "DPoP" }), "token_type"),
        (json!({ "token_type": null }), "token_type is missing or malformed"),
        (json!({ "access_token": ["a"] }), "access_token is missing or malformed"),
    ] {
        world.serve(TOKEN, &with(valid.clone(), changes));
        assert_eq!(rejection(world.redeem()), reason);
    }
    world.serve(TOKEN, &valid);
    assert!(world.redeem().is_ok());
    let hashed = json!({ "id_token": token_with(json!({ "at_hash": "9MKET0Y7WpOlF96BtnoJyA" })) });
    world.serve(TOKEN, &hashed);
    assert_eq!(rejection(world.redeem()), "at_hash without an access token");
}

#[test]
fn unusable_configuration_is_refused() {
    let http: Arc<crate::world::FakeHttp> = Arc::default();
    let caches = KeyCaches::new(World::new().clock);
    let error = |config| OidcProvider::new(config, http.clone(), &caches).err();
    for issuer in ["http://op.example", "https://op.example?a=b", "https://op.example#a", "op.example", ""] {
        let config = ProviderConfig { issuer: issuer.to_owned(), ..config() };
        assert_eq!(error(config), Some(ConfigError::Issuer), "{issuer}");
    }
    let apple =
        |key: &str| Credential::Apple { team_id: String::new(), key_id: String::new(), private_key: key.into() };
    let config = ProviderConfig { credential: apple("marker"), ..config() };
    assert!(!format!("{config:?}").contains("marker"));
    assert_eq!(error(config), Some(ConfigError::PrivateKey));
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap();
    let config = ProviderConfig { credential: apple(&pem(p384.as_ref())), ..crate::world::config() };
    assert_eq!(error(config), Some(ConfigError::PrivateKey));
}
