//! A user's own passkeys: the list, new names and removal.

use super::*;
use crate::providers::{self, Person};

on_both_databases!(
    c2_6_the_list_has_every_field_and_the_signal,
    c2_7_only_the_owner_renames_a_passkey,
    c2_8_only_the_owner_removes_a_passkey,
    c2_8_the_last_way_to_sign_in_stays,
    c2_9_changes_need_a_session_and_recent_authentication,
);

fn c2_6_the_list_has_every_field_and_the_signal(home: &Home) {
    let (_, pair) = home.session();
    let none = home.passkeys(&pair.access);
    let user_id = &home.passkey_options(&pair.access, false)["user"]["id"];
    let signal = json!({"rpId": RP_ID, "userId": user_id, "allAcceptedCredentialIds": []});
    assert_eq!(none, json!({"passkeys": [], "signal": signal}));
    let mut key = new_key(ORIGIN);
    (key.flags, key.aaguid, key.discoverable) = (UP | UV | BE | BS, [0xab; 16], false);
    key.transports = ["hybrid", "internal", "new-one", "Not A Transport"].map(str::to_owned).into();
    let (first, mut second) = (home.add_key(&pair, key, false), home.add_key(&pair, new_key(ORIGIN), true));
    let listed = home.passkeys(&pair.access);
    let expected = json!([
        {
            "id": first.id, "name": "phone", "created_at": first.view["created_at"], "last_used_at": null,
            "discoverable": false, "synced": true, "backed_up": true, "second_factor": false,
            "aaguid": "abababab-abab-abab-abab-abababababab", "usable": true,
            "transports": ["hybrid", "internal", "new-one"],
        },
        {
            "id": second.id, "name": "phone", "created_at": second.view["created_at"], "last_used_at": null,
            "discoverable": true, "synced": false, "backed_up": false, "second_factor": true,
            "aaguid": "00000000-0000-0000-0000-000000000000", "transports": ["internal"], "usable": true,
        },
    ]);
    assert_eq!(listed["passkeys"], expected);
    let signal = json!({
        "rpId": RP_ID, "userId": user_id, "allAcceptedCredentialIds": [first.key.id(), second.key.id()],
    });
    assert_eq!(listed["signal"], signal);
    let credential = second.key.sign(&home.reauthentication_options(&pair.access)["publicKey"]);
    home.reauthenticate(&pair.access, &json!({"credential": credential})).expect(200);
    let listed = home.passkeys(&pair.access);
    assert!(listed["passkeys"][0]["last_used_at"].is_null(), "{listed}");
    assert!(listed["passkeys"][1]["last_used_at"].as_str().unwrap().ends_with('Z'), "{listed}");
    assert_eq!(home.factors(&pair.access)["passkeys"], 1, "one is a second factor");
}

fn c2_7_only_the_owner_renames_a_passkey(home: &Home) {
    let ((_, pair), (_, other)) = (home.session(), home.session());
    let added = home.add_passkey(&pair);
    let rename = |access: &str, id: &str, name: Value| {
        home.tell("PATCH", &format!("/auth/passkeys/{id}"), access, &json!({"name": name}))
    };
    let renamed = rename(&pair.access, &added.id, json!("é🔑".repeat(32))).expect(200);
    assert_eq!(renamed, jose::with(&added.view, "name", "é🔑".repeat(32)));
    assert_eq!(home.passkeys(&pair.access)["passkeys"], json!([renamed]));
    for bad in [json!(""), json!("x".repeat(65)), json!(null)] {
        rename(&pair.access, &added.id, bad).expect_fields(&["name"]);
    }
    rename(&other.access, &added.id, json!("mine")).not_found();
    rename(&pair.access, "x", json!("mine")).not_found();
    rename("", &added.id, json!("mine")).invalid();
    assert_eq!(home.passkeys(&pair.access)["passkeys"], json!([renamed]));
}

fn c2_8_only_the_owner_removes_a_passkey(home: &Home) {
    let ((_, pair), (_, other)) = (home.session(), home.session());
    let mut added = home.add_passkey(&pair);
    for id in [added.id.as_str(), "x", "0123456789abcdef0123456789abcdef"] {
        home.remove_passkey(&other.access, id).not_found();
    }
    home.sign_in_with(&mut added.key).expect(200);
    let removed = home.remove_passkey(&pair.access, &added.id);
    assert_eq!((removed.status, removed.body.len()), (204, 0));
    home.remove_passkey(&pair.access, &added.id).not_found();
    home.sign_in_with(&mut added.key).unknown_passkey();
    assert_eq!(home.passkeys(&pair.access)["passkeys"], json!([]));
    // The key can be added again, by anyone.
    home.add_key(&other, added.key, false);
}

fn c2_8_the_last_way_to_sign_in_stays(backend: Backend) {
    let home = providers::Home::over(backend.service().with_passkeys());
    let person = Person::fresh();
    let pair = Pair::of(&home.exchange(&home.code("corp", &person)));
    let ways = || home.ask("GET", "/auth/identities", &pair.access).expect(200);
    let unlink = || {
        let id = ways()["identities"][0]["id"].as_str().unwrap().to_owned();
        home.ask("DELETE", &format!("/auth/identities/{id}"), &pair.access)
    };
    // Neither of them signs in without being asked for: a second factor, and one that no browser offers.
    let factor = home.add_key(&pair, new_key(ORIGIN), true);
    let mut hidden = new_key(ORIGIN);
    hidden.discoverable = false;
    let hidden = home.add_key(&pair, hidden, false);
    unlink().conflict("last_sign_in_method");
    let [one, other] = [(); 2].map(|()| home.add_passkey(&pair));
    assert_eq!((&ways()["password"], &ways()["passkeys"]), (&json!(false), &json!(2)));
    unlink().has_status(204);
    home.remove_passkey(&pair.access, &one.id).has_status(204);
    home.remove_passkey(&pair.access, &other.id).conflict("last_sign_in_method");
    home.remove_passkey(&pair.access, &hidden.id).has_status(204);
    home.remove_passkey(&pair.access, &factor.id).has_status(204);
    home.remove_passkey(&pair.access, &other.id).conflict("last_sign_in_method");
    let set = json!({"new_password": crate::accounts::NEW});
    home.tell("POST", "/auth/password/change", &pair.access, &set).expect(200);
    home.remove_passkey(&pair.access, &other.id).has_status(204);
}

fn c2_9_changes_need_a_session_and_recent_authentication(home: &Home) {
    let (_, pair) = home.session();
    let added = home.add_passkey(&pair);
    let credential = new_key(ORIGIN).register(&home.passkey_options(&pair.access, false));
    let calls = |access: &str| {
        [
            home.tell("POST", "/auth/passkeys/options", access, &json!({})),
            home.send_passkey(access, &credential, false),
            home.remove_passkey(access, &added.id),
        ]
    };
    calls("").iter().for_each(Reply::invalid);
    home.call("GET", "/auth/passkeys").send().invalid();
    home.authenticated_earlier(&pair, 660);
    for reply in calls(&pair.access) {
        let details = reply.step_up();
        assert_eq!((&details["max_age"], &details["methods"]), (&json!(600), &json!(["password", "passkey"])));
    }
    // The other calls need none.
    assert_eq!(home.passkeys(&pair.access)["passkeys"].as_array().unwrap().len(), 1);
    let path = format!("/auth/passkeys/{}", added.id);
    home.tell("PATCH", &path, &pair.access, &json!({"name": "laptop"})).expect(200);
    home.authenticated_earlier(&pair, 0);
    home.send_passkey(&pair.access, &credential, false).expect(201);
}
