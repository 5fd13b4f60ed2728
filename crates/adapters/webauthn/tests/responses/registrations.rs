//! New credentials: what is read, and what is malformed.

use super::*;
use portcullis_testkit::authenticator::{AT, Ceremony, ED, UP, UV};

fn register(change: impl FnOnce(&mut Ceremony)) -> Value {
    SoftwarePasskey::new(Algorithm::Es256, ORIGIN).register_with(&creation(), change)
}

fn parse(credential: &Value) -> Option<Registration> {
    WebauthnVerifier.registration(&credential.to_string()).ok()
}

#[test]
fn all_parts_are_read() {
    let mut passkey = SoftwarePasskey::new(Algorithm::EdDsa, ORIGIN);
    (passkey.counter, passkey.aaguid) = (0x0102_0304, [9; 16]);
    passkey.transports = ["usb", "smart-card", "USB", "", "a b", &"x".repeat(33)].map(str::to_owned).to_vec();
    let new = parse(&passkey.register(&creation())).unwrap();
    assert_eq!((new.client_data.kind.as_str(), new.client_data.origin.as_str()), ("webauthn.create", ORIGIN));
    assert_eq!((new.authenticator_data.counter, new.authenticator_data.flags.0), (0x0102_0304, UP | UV | AT));
    assert_eq!((new.aaguid.0, new.credential_id.as_bytes()), ([9; 16], passkey.credential_id.as_slice()));
    assert_eq!((new.algorithm, new.key_is_valid, new.public_key), (-8, true, passkey.key.cose()));
    assert_eq!((new.discoverable, new.transports), (Some(true), vec!["usb".to_owned(), "smart-card".to_owned()]));
    let many: Vec<_> = (0..20).map(|index| format!("t{index}")).collect();
    passkey.transports = many.clone();
    assert_eq!(parse(&passkey.register(&creation())).unwrap().transports, many[..8]);
}

#[test]
fn members_that_a_browser_may_omit_are_optional() {
    let mut credential = register(|_| {});
    for (pointer, value) in [
        ("/clientExtensionResults", json!({})),
        ("/clientExtensionResults", json!({"credProps": {}, "prf": {"enabled": true}})),
        ("/clientExtensionResults", Value::Null),
        ("/response/transports", Value::Null),
        ("/response/authenticatorData", Value::Null),
        ("/authenticatorAttachment", Value::Null),
    ] {
        *credential.pointer_mut(pointer).unwrap() = value;
        let new = parse(&credential).unwrap();
        assert_eq!(new.discoverable, None);
    }
    assert_eq!(parse(&credential).unwrap().transports, Vec::<String>::new());
}

#[test]
fn malformed_json_is_refused() {
    let good = register(|_| {});
    let id = good["id"].as_str().unwrap();
    for (pointer, bad) in [
        ("/id", json!("AAAA")),
        ("/id", Value::Null),
        ("/rawId", json!("AAAA")),
        ("/rawId", Value::Null),
        ("/type", json!("password")),
        ("/type", Value::Null),
        ("/response", json!([])),
        ("/response", Value::Null),
        ("/response/clientDataJSON", Value::Null),
        ("/response/clientDataJSON", json!("e30=")),
        ("/response/clientDataJSON", json!("e30")),
        ("/response/attestationObject", Value::Null),
        ("/response/attestationObject", json!("o2Nm+/")),
        ("/response/attestationObject", json!("")),
        ("/response/transports", json!("usb")),
        ("/response/transports", json!([1])),
        ("/clientExtensionResults", json!([])),
    ] {
        let mut credential = good.clone();
        *credential.pointer_mut(pointer).unwrap() = bad.clone();
        assert_eq!(parse(&credential), None, "{pointer} {bad}");
    }
    let text = good.to_string();
    let padded = text.replace(id, &format!("{id}="));
    let twice = text.replacen("\"id\":", &format!("\"id\":\"{id}\",\"id\":"), 1);
    let long = text.replacen('{', &format!("{{\"a\":\"{}\",", "a".repeat(65_536)), 1);
    for bad in ["", "null", "[]", "{}", "{", &text[1..], &format!("{text} {{}}"), &padded, &twice, &long] {
        assert!(WebauthnVerifier.registration(bad).is_err(), "{bad:.80}");
    }
}

#[test]
fn malformed_client_data_is_refused() {
    let good = r#"{"type":"webauthn.create","challenge":"AAAA","origin":"https://example.org"}"#;
    let parsed = |client_data: &[u8]| parse(&register(|ceremony| ceremony.client_data = Some(client_data.to_vec())));
    assert!(!parsed(good.as_bytes()).unwrap().client_data.cross_origin);
    for (old, new) in [
        ("}", ""),
        ("}", "} "),
        ("}", r#","extra":[{"a":null}]}"#),
        ("}", "}}"),
        ("\"type\"", "\"Type\""),
        ("\"webauthn.create\"", "1"),
        ("\"challenge\"", "\"challenges\""),
        ("AAAA", "AAB"),
        ("AAAA", "AA=="),
        ("AAAA", "+/+/"),
        ("\"origin\"", "\"origins\""),
        ("}", r#","crossOrigin":"false"}"#),
        ("}", r#","crossOrigin":null}"#),
        ("}", r#","origin":"https://example.org"}"#),
    ] {
        let changed = good.replacen(old, new, 1);
        let accepted = new.contains("extra") || new == "} ";
        assert_eq!(parsed(changed.as_bytes()).is_some(), accepted, "{changed}");
    }
    for (member, expected) in [
        ("\"crossOrigin\":true", true),
        ("\"crossOrigin\":false", false),
        ("\"topOrigin\":\"https://example.com\"", true),
        ("\"crossOrigin\":false,\"topOrigin\":\"https://example.com\"", true),
    ] {
        let changed = good.replacen('}', &format!(",{member}}}"), 1);
        assert_eq!(parsed(changed.as_bytes()).unwrap().client_data.cross_origin, expected, "{changed}");
    }
    assert_eq!(parsed(b"{\"type\":\"\xff\",\"challenge\":\"AAAA\",\"origin\":\"\"}"), None, "no UTF-8");
}

#[test]
fn malformed_authenticator_data_is_refused() {
    type Change = fn(&mut Ceremony);
    let changes: [Change; 13] = [
        |ceremony| ceremony.flags &= !AT,
        |ceremony| ceremony.flags |= ED,
        |ceremony| ceremony.extensions = vec![0xa0],
        |ceremony| (ceremony.flags, ceremony.extensions) = (ceremony.flags | ED, vec![0xa1, 1]),
        |ceremony| (ceremony.flags, ceremony.extensions) = (ceremony.flags | ED, vec![0xa0, 0]),
        |ceremony| (ceremony.flags, ceremony.extensions) = (ceremony.flags | ED, vec![0xa2, 1, 1, 1, 1]),
        |ceremony| ceremony.credential_id.clear(),
        |ceremony| ceremony.credential_id = vec![1; 1024],
        |ceremony| ceremony.public_key.clear(),
        |ceremony| ceremony.public_key = vec![0xa0],
        |ceremony| ceremony.public_key = vec![0x80],
        |ceremony| ceremony.after_attestation = vec![0],
        |ceremony| ceremony.attestation_statement = vec![0x80],
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert_eq!(parse(&register(change)), None, "{index}");
    }
    let longest = register(|ceremony| ceremony.credential_id = vec![1; 1023]);
    assert_eq!(parse(&longest).unwrap().credential_id.as_bytes().len(), 1023);
    let other = register(|ceremony| {
        let data = ceremony.authenticator_data();
        ceremony.authenticator_data = Some(data);
        ceremony.credential_id = vec![1];
    });
    assert_eq!(parse(&other), None, "the id in the JSON is another one");
}

#[test]
fn truncated_data_and_nested_statements_are_refused() {
    let mut passkey = SoftwarePasskey::new(Algorithm::Es256, ORIGIN);
    let mut length = 0;
    let whole = loop {
        let mut whole = 0;
        let credential = passkey.register_with(&creation(), |ceremony| {
            let data = ceremony.authenticator_data();
            whole = data.len();
            ceremony.authenticator_data = Some(data.into_iter().take(length).collect());
        });
        if length == whole {
            break parse(&credential);
        }
        assert_eq!(parse(&credential), None, "{length}");
        length += 1;
    };
    assert!(whole.is_some());
    for (depth, accepted) in [(4, true), (14, true), (15, false), (30_000, false)] {
        // {"x": [[…]]}
        let statement = [b"\xa1\x61x".to_vec(), vec![0x81; depth - 1], vec![0x80]].concat();
        let credential = register(|ceremony| ceremony.attestation_statement = statement);
        assert_eq!(parse(&credential).is_some(), accepted, "{depth}");
    }
}

#[test]
fn attestation_is_ignored() {
    let mut passkey = SoftwarePasskey::new(Algorithm::Es256, ORIGIN);
    let none = parse(&passkey.register(&creation()));
    let packed = passkey.register_with(&creation(), |ceremony| {
        ceremony.attestation_format = "packed".to_owned();
        ceremony.attestation_statement = [b"\xa2\x63alg\x26\x63sig".as_slice(), &[0x41, 0]].concat();
    });
    assert_eq!(parse(&packed), none);
    assert!(none.is_some());
}
