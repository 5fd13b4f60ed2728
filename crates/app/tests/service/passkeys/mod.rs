//! Passkeys, on both databases. The name of a test begins with the number of the sentence of C2 it holds:
//!
//! | number | sentence |
//! |---|---|
//! | C2.1 | `POST /auth/passkeys/options`: the browser's own JSON |
//! | C2.2 | `POST /auth/passkeys`: the view; the first second factor comes with recovery codes |
//! | C2.3 | `GET /auth/passkeys`, and the argument of `signalAllAcceptedCredentials` |
//! | C2.4 | `POST /auth/passkeys/login`: the login response; `amr` |
//! | C2.5 | a passkey completes a login, and makes an authentication recent |
//! | C2.6 | related origins; passkeys are off where the host is an IP address |

use crate::harness::mfa::texts;
use crate::harness::passkeys::{ORIGIN, RP_ID, new_key};
use crate::prelude::*;
use std::ops::Deref;
use std::sync::OnceLock;

on_both_databases!(
    c2_1_options_are_the_browsers_own,
    c2_3_passkey_is_added_listed_renamed_and_removed,
    c2_4_passkey_signs_in_without_email_and_code,
    c2_5_passkey_is_a_second_factor,
    c2_5_passkey_makes_the_authentication_recent,
);

/// Service with passkeys.
pub(crate) struct Home(Service);

impl Fixture for &'static Home {
    fn on(backend: Backend) -> Self {
        static SHARED: [OnceLock<Home>; 2] = [OnceLock::new(), OnceLock::new()];
        let shared = &SHARED[usize::from(backend == Backend::Postgres)];
        shared.get_or_init(|| Home(backend.service().with_passkeys().start()))
    }
}

impl Deref for Home {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.0
    }
}

fn amr(pair: &Pair) -> Vec<String> {
    texts(&jose::claims(&pair.access)["amr"])
}

fn c2_1_options_are_the_browsers_own(home: &Home) {
    let (account, pair) = home.session();
    let options = home.passkey_options(&pair.access, false);
    let (challenge, user_id) = (&options["challenge"], &options["user"]["id"]);
    assert!([challenge, user_id].iter().all(|text| text.as_str().unwrap().len() == 43), "32 bytes: {options}");
    let parameters = [-7, -8, -257].map(|alg| json!({"type": "public-key", "alg": alg}));
    let expected = json!({
        "rp": {"id": RP_ID, "name": "Portcullis"},
        "user": {"id": user_id, "name": account.email, "displayName": account.email},
        "challenge": challenge,
        "pubKeyCredParams": parameters,
        "timeout": 300_000,
        "excludeCredentials": [],
        "authenticatorSelection":
            {"residentKey": "required", "requireResidentKey": true, "userVerification": "required"},
        "attestation": "none",
        "extensions": {"credProps": true},
    });
    assert_eq!(options, expected);
    let added = home.add_passkey(&pair);
    let options = home.passkey_options(&pair.access, true);
    let selection =
        json!({"residentKey": "discouraged", "requireResidentKey": false, "userVerification": "discouraged"});
    assert_eq!(options["authenticatorSelection"], selection);
    let known = json!([{"id": added.key.id(), "type": "public-key", "transports": ["internal"]}]);
    assert_eq!((&options["excludeCredentials"], &options["user"]["id"]), (&known, user_id));
    let options = home.sign_in_options();
    let expected = json!({
        "challenge": options["challenge"], "timeout": 300_000, "rpId": RP_ID, "allowCredentials": [],
        "userVerification": "required",
    });
    assert_eq!(options, expected);
}

fn c2_3_passkey_is_added_listed_renamed_and_removed(home: &Home) {
    let (_, pair) = home.session();
    let added = home.add_passkey(&pair);
    let expected = json!({
        "id": added.id, "name": "phone", "created_at": added.view["created_at"], "last_used_at": null,
        "discoverable": true, "synced": false, "backed_up": false, "second_factor": false,
        "aaguid": "00000000-0000-0000-0000-000000000000", "transports": ["internal"], "usable": true,
    });
    assert_eq!(added.view, expected);
    let listed = home.passkeys(&pair.access);
    assert_eq!(listed["passkeys"], json!([expected]));
    let user_id = &home.passkey_options(&pair.access, false)["user"]["id"];
    let signal = json!({"rpId": RP_ID, "userId": user_id, "allAcceptedCredentialIds": [added.key.id()]});
    assert_eq!(listed["signal"], signal);
    assert_eq!(home.ask("GET", "/auth/identities", &pair.access).expect(200)["passkeys"], 1);
    let path = format!("/auth/passkeys/{}", added.id);
    let renamed = home.tell("PATCH", &path, &pair.access, &json!({"name": "laptop"})).expect(200);
    assert_eq!((&renamed["name"], &renamed["id"]), (&json!("laptop"), &json!(added.id)));
    home.remove_passkey(&pair.access, &added.id).has_status(204);
    home.remove_passkey(&pair.access, &added.id).not_found();
    assert_eq!(home.passkeys(&pair.access)["passkeys"], json!([]));
}

fn c2_4_passkey_signs_in_without_email_and_code(home: &Home) {
    let (account, pair) = home.session();
    let mut added = home.add_passkey(&pair);
    let signed_in = home.sign_in_with(&mut added.key);
    let begun = Pair::of(&signed_in);
    assert_eq!(home.me(&begun.access).expect(200)["email"], account.email);
    assert_eq!(amr(&begun), ["hwk", "user", "mfa"]);
    assert!(home.passkeys(&pair.access)["passkeys"][0]["last_used_at"].is_string());
    let mut unknown = new_key(ORIGIN);
    unknown.user_handle = added.key.user_handle.clone();
    let details = home.sign_in_with(&mut unknown).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(details, json!({"unknown_credential": true}));
    let forged = added.key.sign_with(&home.sign_in_options(), |ceremony| ceremony.origin = "https://e.org".to_owned());
    assert_eq!(home.send_sign_in("", &forged).expect_error(401, "AUTH_INVALID_CREDENTIALS"), json!({}));
}

fn c2_5_passkey_is_a_second_factor(home: &Home) {
    let (account, pair) = home.session();
    let other = home.sign_in(&account);
    let mut added = home.add_security_key(&pair);
    assert_eq!(texts(&added.view["recovery_codes"]).len(), 10);
    assert_eq!((&added.view["sessions_ended"], &home.factors(&pair.access)["passkeys"]), (&json!(1), &json!(1)));
    home.me(&other.access).revoked();
    let details = home.login(&account.email, &account.password).expect_error(403, "AUTH_MFA_REQUIRED");
    assert_eq!(details["methods"], json!(["passkey", "recovery_code"]));
    let options = &details["publicKey"];
    assert_eq!((&options["userVerification"], &options["rpId"]), (&json!("discouraged"), &json!(RP_ID)));
    assert_eq!(options["allowCredentials"][0]["id"], added.key.id());
    let token = details["mfa_token"].as_str().unwrap();
    let credential = added.key.sign(options);
    let begun = Pair::of(&home.second(token, &json!({"credential": credential})));
    assert_eq!(amr(&begun), ["pwd", "hwk", "mfa"]);
    home.second(&home.challenge(&account), &json!({"credential": credential})).wrong_credentials();
    home.remove_passkey(&begun.access, &added.id).has_status(204);
    home.sign_in(&account);
}

fn c2_5_passkey_makes_the_authentication_recent(home: &Home) {
    let (_, pair) = home.session();
    let mut added = home.add_passkey(&pair);
    home.authenticated_earlier(&pair, 660);
    let details = home.remove_passkey(&pair.access, &added.id).step_up();
    assert_eq!(details["methods"], json!(["password", "passkey"]));
    let options = home.reauthentication_options(&pair.access);
    assert_eq!(
        (&options["methods"], &options["publicKey"]["userVerification"]),
        (&details["methods"], &json!("required"))
    );
    let credential = added.key.sign(&options["publicKey"]);
    home.reauthenticate(&pair.access, &json!({"credential": credential})).expect(200);
    home.remove_passkey(&pair.access, &added.id).has_status(204);
}

#[test]
fn c2_6_related_origins_are_listed() {
    let setup = Backend::Sqlite.service().with_passkeys().set("WEBAUTHN_RELATED_ORIGINS", "https://example.net");
    let service = setup.set("WEBAUTHN_ORIGINS", "https://example.org,https://example.net").start();
    let reply = service.get("/.well-known/webauthn");
    assert_eq!(reply.expect(200), json!({"origins": ["https://example.net"]}));
}

#[test]
fn c2_6_passkeys_are_off_where_the_host_is_an_ip_address() {
    let service = Backend::Sqlite.service().start();
    let (_, pair) = service.session();
    service.ask("GET", "/auth/passkeys", &pair.access).not_found();
    service.post("/auth/passkeys/login/options", &json!({})).not_found();
    service.post("/auth/passkeys/login", &json!({"credential": {}})).not_found();
    service.get("/.well-known/webauthn").not_found();
    assert!(service.log.text().contains("Passkeys are off"), "the log says so");
}
