//! RP IDs and origins.

use super::*;
use crate::process::cli_harness::command;

on_both_databases!(c2_31_passkeys_of_another_rp_id_are_unusable, c2_32_related_origins_are_listed_and_accepted);

fn c2_31_passkeys_of_another_rp_id_are_unusable(backend: Backend) {
    let service = backend.service().with_passkeys().start();
    let mut holder = Holder::new(&service);
    service.stop();
    let on = |setup: ServiceBuilder| setup.set("WEBAUTHN_RP_ID", "login.example.org").set("WEBAUTHN_ORIGINS", ORIGIN);
    let service = on(service.again()).start();
    let listed = service.passkeys(&holder.pair.access);
    let usable: Vec<_> = listed["passkeys"].as_array().unwrap().iter().map(|passkey| &passkey["usable"]).collect();
    assert_eq!(usable, [false, false]);
    let signal = &listed["signal"];
    assert_eq!((&signal["rpId"], &signal["allAcceptedCredentialIds"]), (&json!("login.example.org"), &json!([])));
    // Browsers are not asked for them, and they are refused: neither RP ID's hash helps.
    let account = &holder.account;
    let details = service.login(&account.email, &account.password).expect_error(403, "AUTH_MFA_REQUIRED");
    assert_eq!(details["methods"], json!(["recovery_code"]));
    assert!(details.get("publicKey").is_none(), "{details}");
    assert_eq!(service.reauthentication_options(&holder.pair.access), json!({"methods": []}));
    for rp_id in [RP_ID, "login.example.org"] {
        let options = service.sign_in_options();
        let credential = holder.passkey.key.sign_with(&options, |ceremony| ceremony.rp_id = rp_id.to_owned());
        service.send_sign_in("", &credential).wrong_passkey();
    }
    // New ones work beside them, and the old ones can be removed.
    let mut added = service.add_passkey(&holder.pair);
    service.sign_in_with(&mut added.key).expect(200);
    let examined = || {
        let ended = on(command(&service.database, "doctor --json")).run();
        let mut findings = ended.output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        findings.find(|finding| finding["check"] == "passkeys").unwrap()
    };
    let found = examined();
    let what = found["what"].as_str().unwrap();
    assert!(found["status"] == "warning" && what.starts_with("2 of another RP ID than login.example.org"), "{found}");
    service.remove_passkey(&holder.pair.access, &holder.passkey.id).has_status(204);
    service.remove_passkey(&holder.pair.access, &holder.factor.id).has_status(204);
    assert_eq!(examined()["status"], "ok");
}

fn c2_32_related_origins_are_listed_and_accepted(backend: Backend) {
    const APP: &str = "android:apk-key-hash:pNiP5iKyQ8JwgGOaKA1zGPUPJIS-0H1xKCQcfIoGLck";
    let origins = format!("https://example.org,https://example.net,{APP}");
    let setup = backend.service().with_passkeys().set("WEBAUTHN_ORIGINS", &origins);
    let service = setup.set("WEBAUTHN_RELATED_ORIGINS", "https://example.net").start();
    let reply = service.get("/.well-known/webauthn");
    assert_eq!(reply.expect(200), json!({"origins": ["https://example.net"]}));
    let (_, pair) = service.session();
    for origin in origins.split(',') {
        let mut added = service.add_key(&pair, new_key(origin), false);
        service.sign_in_with(&mut added.key).expect(200);
        added.key.origin = ORIGIN.to_owned();
        service.sign_in_with(&mut added.key).wrong_passkey();
    }
}

#[test]
fn c2_32_a_foreign_origin_stops_the_start() {
    for (rp_id, origins, related, setting, what) in [
        ("example.org", "https://example.net", "", "WEBAUTHN_ORIGINS", "foreign"),
        ("login.example.org", "https://example.org", "", "WEBAUTHN_ORIGINS", "foreign"),
        ("example.org", ORIGIN, "example.net", "WEBAUTHN_RELATED_ORIGINS", "scheme"),
        ("192.0.2.1", ORIGIN, "", "WEBAUTHN_RP_ID", "IP address"),
    ] {
        let setup = Backend::Sqlite.service().set("WEBAUTHN_RP_ID", rp_id).set("WEBAUTHN_ORIGINS", origins);
        let ended = if related.is_empty() { setup } else { setup.set("WEBAUTHN_RELATED_ORIGINS", related) }.run();
        let line = ended.refusal();
        assert!(line.contains(setting) && line.contains(what), "{rp_id} {origins}: {line}");
    }
}

#[test]
fn c2_32_the_defaults_are_the_host_and_origin_of_the_public_url() {
    let service = Backend::Sqlite.service().set("PUBLIC_URL", "https://id.example.org/auth-service").start();
    assert_eq!(service.sign_in_options()["rpId"], "id.example.org");
    let mut added = service.add_key(&service.session().1, new_key("https://id.example.org"), false);
    service.sign_in_with(&mut added.key).expect(200);
    service.get("/.well-known/webauthn").not_found();
}

#[test]
fn c2_32_passkeys_are_off_where_the_host_is_an_ip_address() {
    let service = Backend::Sqlite.service().start();
    let (_, pair) = service.session();
    for (method, path, body) in [
        ("POST", "/auth/passkeys/options", json!({})),
        ("POST", "/auth/passkeys", json!({"credential": {}})),
        ("GET", "/auth/passkeys", json!(null)),
        ("PATCH", "/auth/passkeys/x", json!({"name": "phone"})),
        ("DELETE", "/auth/passkeys/x", json!(null)),
        ("POST", "/auth/passkeys/login/options", json!({})),
        ("POST", "/auth/passkeys/login", json!({"credential": {}})),
        ("GET", "/.well-known/webauthn", json!(null)),
    ] {
        let call = service.call(method, path).bearer(&pair.access);
        if body.is_null() { call.send() } else { call.json(&body).send() }.not_found();
    }
    assert!(service.log.text().contains("Passkeys are off"), "the log says so");
}
