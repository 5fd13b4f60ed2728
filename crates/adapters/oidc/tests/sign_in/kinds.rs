//! Google, Microsoft and Apple.

use crate::test_keys::{RSA, pem};
use crate::world::{
    DISCOVERY, JWKS, NONCE, NOW, TOKEN, USERINFO, World, authorization, callback, claims, config, discovery, header,
    rejection, token_with, with,
};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_domain::providers::{ProviderKind, TrustEmail};
use portcullis_oidc::{Credential, ProviderConfig};
use portcullis_ports::{Clock, CodeCallback, IdentityProvider};
use serde_json::{Value, json};

fn of_kind(kind: ProviderKind) -> ProviderConfig {
    ProviderConfig { kind, ..config() }
}

#[test]
fn google_vouches_for_gmail_and_its_organizations() {
    let world = World::of(of_kind(ProviderKind::Google));
    for (changes, trusted, domain) in [
        (json!({"email": "a@gmail.com", "email_verified": null}), true, Some("gmail.com")),
        (json!({"email": "a@corp.example"}), false, None),
        (json!({"email": "a@corp.example", "hd": "Corp.example"}), true, Some("corp.example")),
        (
            json!({"email": "a@corp.example", "hd": "corp.example", "email_verified": false}),
            false,
            Some("corp.example"),
        ),
    ] {
        let profile = world.redeem_token(&token_with(changes.clone())).unwrap();
        assert_eq!((profile.email_trusted, profile.domain.as_deref()), (trusted, domain), "{changes}");
    }
    assert_eq!(rejection(world.redeem_token(&token_with(json!({ "hd": true })))), "hd is missing or malformed");
    world.serve(USERINFO, &json!({"sub": "u1", "email": "a@corp.example", "email_verified": true}));
    let profile = world.redeem_token(&token_with(json!({"email": null, "hd": "corp.example"}))).unwrap();
    assert!(profile.email_trusted, "hd of the ID token");
    // Only Google's `hd` has a meaning.
    let profile = World::new().redeem_token(&token_with(json!({"hd": "evil.example", "email_verified": false})));
    assert_eq!(profile.unwrap().domain, None);
}

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const COMMON: &str = "https://login.example/common/v2.0";

fn microsoft(tenants: &[&str]) -> World {
    let tenants = tenants.iter().map(|&tenant| tenant.to_owned()).collect();
    let world = World::of(ProviderConfig { issuer: COMMON.to_owned(), tenants, ..of_kind(ProviderKind::Microsoft) });
    let template = json!({ "issuer": "https://login.example/{tenantid}/v2.0" });
    world.serve(&format!("{COMMON}/.well-known/openid-configuration"), &with(discovery(), template));
    world
}

fn of_tenant(tenant: &str, further: Value) -> String {
    let issuer = format!("https://login.example/{tenant}/v2.0");
    let claims = with(claims(), json!({"iss": issuer, "tid": tenant}));
    RSA.token(&header(), &with(claims, further).to_string())
}

#[test]
fn microsoft_token_is_of_a_listed_tenant() {
    let token = of_tenant(TENANT, json!({}));
    for tenants in [&["*"][..], &["other", TENANT], &["72F988BF-86F1-41AF-91AB-2D7CD011DB47"]] {
        let profile = microsoft(tenants).redeem_token(&token).unwrap();
        assert_eq!(profile.key.issuer, format!("https://login.example/{TENANT}/v2.0"));
        assert!(!profile.email_trusted, "email_verified is not the tenant's");
    }
    for tenants in [&["other"][..], &[]] {
        assert_eq!(rejection(microsoft(tenants).redeem_token(&token)), "tid");
    }
    let world = microsoft(&["*"]);
    for (claims, reason) in [
        (json!({ "tid": "other" }), "iss"),
        (json!({ "tid": null }), "tid is missing or malformed"),
        (json!({ "iss": "https://login.example/other/v2.0" }), "iss"),
        (json!({ "iss": "https://login.example/{tenantid}/v2.0" }), "iss"),
        (json!({ "iss": COMMON }), "iss"),
    ] {
        assert_eq!(rejection(world.redeem_token(&of_tenant(TENANT, claims.clone()))), reason, "{claims}");
    }
    let trusted = world.redeem_token(&of_tenant(TENANT, json!({ "xms_edov": true }))).unwrap();
    assert!(trusted.email_trusted);
    for other in [json!("true"), json!(1), json!("1")] {
        assert!(!world.redeem_token(&of_tenant(TENANT, json!({ "xms_edov": other }))).unwrap().email_trusted);
    }
}

#[test]
fn microsoft_key_signs_for_its_issuer_only() {
    for (issuer, accepted) in [
        ("https://login.example/{tenantid}/v2.0".to_owned(), true),
        (format!("https://login.example/{TENANT}/v2.0"), true),
        ("https://login.example/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0".to_owned(), false),
    ] {
        let world = microsoft(&["*"]);
        world.serve(JWKS, &json!({ "keys": [with(RSA.jwk("k1"), json!({ "issuer": issuer }))] }));
        assert_eq!(world.redeem_token(&of_tenant(TENANT, json!({}))).is_ok(), accepted, "{issuer}");
    }
}

#[test]
fn microsoft_response_issuer_is_that_of_the_token() {
    let world = microsoft(&["*"]);
    world.issue(&of_tenant(TENANT, json!({})));
    for (tenant, accepted) in [(TENANT, true), ("other", false), ("a/b", false)] {
        let callback = CodeCallback { issuer: Some(format!("https://login.example/{tenant}/v2.0")), ..callback() };
        assert_eq!(world.provider.redeem(&callback, world.clock.now()).is_ok(), accepted, "{tenant}");
    }
}

#[test]
fn only_microsoft_has_a_template() {
    let template = with(discovery(), json!({ "issuer": "https://login.example/{tenantid}/v2.0" }));
    let other = World::of(ProviderConfig { issuer: COMMON.to_owned(), ..config() });
    other.serve(&format!("{COMMON}/.well-known/openid-configuration"), &template);
    assert_eq!(rejection(other.redeem()), "discovery names another issuer");
    let own = World::of(ProviderConfig {
        issuer: format!("https://login.example/{TENANT}/v2.0"),
        tenants: vec![TENANT.to_owned()],
        ..of_kind(ProviderKind::Microsoft)
    });
    let url = format!("https://login.example/{TENANT}/v2.0/.well-known/openid-configuration");
    own.serve(&url, &template);
    assert_eq!(rejection(own.redeem()), "discovery names another issuer");
    let own_issuer = format!("https://login.example/{TENANT}/v2.0");
    own.clock.advance(std::time::Duration::from_secs(5));
    own.serve(&url, &with(discovery(), json!({ "issuer": own_issuer })));
    assert!(own.redeem_token(&of_tenant(TENANT, json!({}))).is_ok());
    assert_eq!(rejection(own.redeem_token(&of_tenant("other", json!({})))), "iss");
}

/// Returns a configuration of Apple, with the public key that verifies its client secrets.
fn apple() -> (ProviderConfig, Vec<u8>) {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let pem = pem(pkcs8.as_ref());
    let credential =
        Credential::Apple { team_id: "TEAM".to_owned(), key_id: "KEY".to_owned(), private_key: pem.into() };
    let response_mode = Some("form_post".to_owned());
    let config = ProviderConfig { credential, response_mode, ..of_kind(ProviderKind::Apple) };
    (config, pair.public_key().as_ref().to_vec())
}

#[test]
fn apple_gets_a_signed_client_secret() {
    let (config, public) = apple();
    let world = World::of(config);
    // Apple lists only this method, and gets its secret in the form in any case.
    for methods in [json!(["client_secret_post"]), json!(["client_secret_basic"])] {
        world.serve(DISCOVERY, &with(discovery(), json!({ "token_endpoint_auth_methods_supported": methods })));
        assert!(world.redeem().is_ok());
    }
    for request in world.requests(TOKEN) {
        let form = request.form.unwrap();
        let value = |name: &str| form.iter().find(|(found, _)| *found == name).unwrap().1.clone();
        assert_eq!(value("client_id"), "client-1");
        let secret = value("client_secret");
        let (signed, signature) = secret.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public).verify(signed.as_bytes(), &signature).unwrap();
        let part = |at: usize| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split('.').nth(at).unwrap()).unwrap()).unwrap()
        };
        assert_eq!(part(0), json!({"typ": "JWT", "alg": "ES256", "kid": "KEY"}));
        let expected =
            json!({"iss": "TEAM", "sub": "client-1", "aud": "https://op.example", "iat": NOW, "exp": NOW + 300});
        assert_eq!(part(1), expected);
    }
    assert!(world.provider.authorization_url(&authorization()).unwrap().contains("&response_mode=form_post"));
}

#[test]
fn apple_may_verify_an_email_in_a_string() {
    let (config, _) = apple();
    let world = World::of(config.clone());
    for (verified, trusted) in
        [(json!("true"), true), (json!(true), true), (json!("false"), false), (json!("TRUE"), false)]
    {
        let sign_in = world.native(&token_with(json!({ "email_verified": verified })), Some(NONCE)).unwrap();
        assert_eq!(sign_in.profile.email_trusted, trusted, "{verified}");
    }
    let never = World::of(ProviderConfig { trust_email: TrustEmail::Never, ..config });
    assert!(!never.redeem().unwrap().email_trusted);
}
