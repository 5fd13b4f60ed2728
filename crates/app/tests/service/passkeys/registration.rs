//! Options to create a passkey, and its registration. `responses` has the fields that are checked.

use super::*;
use portcullis_domain::passkeys::Algorithm;

on_both_databases!(
    c2_1_options_are_the_browsers_own,
    c2_2_user_handle_is_the_accounts_and_all_passkeys_are_excluded,
    c2_3_passkeys_of_three_algorithms_are_added,
    c2_3_a_name_has_1_to_64_characters,
    c2_4_the_user_is_verified_unless_it_is_a_second_factor,
    c2_4_the_key_and_its_data_are_checked,
    c2_5_a_passkey_of_any_account_is_taken,
    c2_5_a_twenty_first_passkey_is_too_many,
);

fn c2_1_options_are_the_browsers_own(home: &Home) {
    let (account, pair) = home.session();
    let parameters = [-7, -8, -257].map(|alg| json!({"type": "public-key", "alg": alg}));
    for (second_factor, requirement) in [(false, "required"), (true, "discouraged")] {
        let options = home.passkey_options(&pair.access, second_factor);
        let (challenge, user_id) = (&options["challenge"], &options["user"]["id"]);
        assert!([challenge, user_id].iter().all(|text| text.as_str().unwrap().len() == 43), "32 bytes: {options}");
        let selection = json!({
            "residentKey": requirement, "requireResidentKey": !second_factor, "userVerification": requirement,
        });
        let expected = json!({
            "rp": {"id": RP_ID, "name": "Portcullis"},
            "user": {"id": user_id, "name": account.email, "displayName": account.email},
            "challenge": challenge,
            "pubKeyCredParams": parameters,
            "timeout": 300_000,
            "excludeCredentials": [],
            "authenticatorSelection": selection,
            "attestation": "none",
            "extensions": {"credProps": true},
        });
        assert_eq!(options, expected);
        assert_ne!(home.passkey_options(&pair.access, second_factor)["challenge"], *challenge);
    }
    // The member is optional.
    let options = |body: Value| home.tell("POST", "/auth/passkeys/options", &pair.access, &body);
    let required = &options(json!({})).expect(200)["publicKey"]["authenticatorSelection"]["residentKey"];
    assert_eq!(required, "required");
    options(json!({"second_factor": "yes"})).expect_fields(&["second_factor"]);
}

fn c2_2_user_handle_is_the_accounts_and_all_passkeys_are_excluded(home: &Home) {
    let holder = Holder::new(home);
    let mut key = new_key(ORIGIN);
    key.transports = vec!["usb".to_owned(), "nfc".to_owned()];
    let third = home.add_key(&holder.pair, key, false);
    let known = json!([
        {"id": holder.passkey.key.id(), "type": "public-key", "transports": ["internal"]},
        {"id": holder.factor.key.id(), "type": "public-key", "transports": ["internal"]},
        {"id": third.key.id(), "type": "public-key", "transports": ["usb", "nfc"]},
    ]);
    for second_factor in [false, true] {
        let options = home.passkey_options(&holder.pair.access, second_factor);
        assert_eq!(options["excludeCredentials"], known);
        assert_eq!(options["user"]["id"], jose::base64url(third.key.user_handle.as_ref().unwrap()));
    }
    let (_, other) = home.session();
    let options = home.passkey_options(&other.access, false);
    assert_ne!(options["user"]["id"], jose::base64url(third.key.user_handle.as_ref().unwrap()));
    assert_eq!(options["excludeCredentials"], json!([]));
}

fn c2_3_passkeys_of_three_algorithms_are_added(home: &Home) {
    let (_, pair) = home.session();
    for algorithm in Algorithm::ALL {
        let mut added = home.add_key(&pair, SoftwarePasskey::new(algorithm, ORIGIN), false);
        let expected = json!({
            "id": added.id, "name": "phone", "created_at": added.view["created_at"], "last_used_at": null,
            "discoverable": true, "synced": false, "backed_up": false, "second_factor": false,
            "aaguid": "00000000-0000-0000-0000-000000000000", "transports": ["internal"], "usable": true,
        });
        assert_eq!(added.view, expected);
        Pair::of(&home.sign_in_with(&mut added.key));
        let other = SoftwarePasskey::new(algorithm, ORIGIN).key.sign(b"another message");
        let forged = added.key.sign_with(&home.sign_in_options(), |ceremony| ceremony.signature = Some(other));
        home.send_sign_in("", &forged).wrong_passkey();
    }
}

fn c2_3_a_name_has_1_to_64_characters(home: &Home) {
    let (_, pair) = home.session();
    let mut key = new_key(ORIGIN);
    let credential = key.register(&home.passkey_options(&pair.access, false));
    let add = |name: Value| {
        let body = json!({"name": name, "credential": credential});
        home.tell("POST", "/auth/passkeys", &pair.access, &body)
    };
    for bad in [json!(""), json!("x".repeat(65)), json!("a\u{7}b"), json!(5)] {
        add(bad).expect_fields(&["name"]);
    }
    let added = home.tell("POST", "/auth/passkeys", &pair.access, &json!({"credential": credential})).expect(201);
    assert_eq!((&added["name"], &added["second_factor"]), (&json!("Passkey"), &json!(false)));
}

fn c2_4_the_user_is_verified_unless_it_is_a_second_factor(home: &Home) {
    let (_, pair) = home.session();
    let unverified = |second_factor| {
        let mut key = new_key(ORIGIN);
        key.flags = UP;
        let credential = key.register(&home.passkey_options(&pair.access, second_factor));
        home.send_passkey(&pair.access, &credential, second_factor)
    };
    unverified(false).refused("user_verification");
    unverified(true).expect(201);
}

fn c2_4_the_key_and_its_data_are_checked(home: &Home) {
    let changes: [(Change, &str); 8] = [
        // ES384 in place of ES256; EdDSA with the key of ES256; a point that is not on the curve.
        (|ceremony| drop(ceremony.public_key.splice(4..5, [0x38, 0x22])), "algorithm"),
        (|ceremony| ceremony.public_key[4] = 0x27, "algorithm"),
        (|ceremony| *ceremony.public_key.last_mut().unwrap() ^= 1, "algorithm"),
        (|ceremony| _ = ceremony.public_key.pop(), "malformed"),
        (|ceremony| ceremony.flags = UP | UV, "malformed"),
        (|ceremony| ceremony.credential_id = vec![7; 1024], "malformed"),
        (|ceremony| ceremony.after_attestation = vec![0], "malformed"),
        (|ceremony| ceremony.attestation_statement = vec![0], "malformed"),
    ];
    let (_, pair) = home.session();
    for (number, (change, code)) in changes.into_iter().enumerate() {
        let credential = new_key(ORIGIN).register_with(&home.passkey_options(&pair.access, false), change);
        Register.expect(&home.send_passkey(&pair.access, &credential, false), Some(code), number);
    }
    // Attestation is not asked for, and so not checked.
    let credential = new_key(ORIGIN).register_with(&home.passkey_options(&pair.access, false), |ceremony| {
        (ceremony.attestation_format, ceremony.credential_id) = ("packed".to_owned(), vec![7; 1023]);
        ceremony.credential_id[0] = unique() as u8;
    });
    let _ = home.send_passkey(&pair.access, &credential, false).expect(201);
}

fn c2_5_a_passkey_of_any_account_is_taken(home: &Home) {
    let (owners, mut key) = ([(); 4].map(|()| home.session().1), new_key(ORIGIN));
    let mut register = |pair: &Pair| key.register(&home.passkey_options(&pair.access, false));
    let credentials = owners.each_ref().map(&mut register);
    let replies = at_once(4, |number| home.send_passkey(&owners[number].access, &credentials[number], false));
    assert_eq!((count(&replies, 201), count(&replies, 409)), (1, 3), "{replies:?}");
    for pair in &owners {
        home.send_passkey(&pair.access, &register(pair), false).conflict("passkey_taken");
    }
    let listed = owners.each_ref().map(|pair| home.passkeys(&pair.access)["passkeys"].as_array().unwrap().len());
    assert_eq!(listed.iter().sum::<usize>(), 1);
}

fn c2_5_a_twenty_first_passkey_is_too_many(home: &Home) {
    let (_, pair) = home.session();
    let added: Vec<_> = (0..19).map(|_| home.add_passkey(&pair)).collect();
    let credentials = [(); 3].map(|()| new_key(ORIGIN).register(&home.passkey_options(&pair.access, true)));
    let replies = at_once(3, |number| home.send_passkey(&pair.access, &credentials[number], true));
    assert_eq!(count(&replies, 201), 1);
    replies.iter().filter(|reply| reply.status != 201).for_each(|reply| reply.conflict("too_many"));
    home.remove_passkey(&pair.access, &added[0].id).has_status(204);
    home.add_passkey(&pair);
}
