//! Exchanges credentials with other implementations, for `cargo xtask check passkeys`. Without an argument it
//! prints credentials of the software authenticator with the verdicts of this service. With the path of such a
//! file it checks the verdicts of another implementation.
//!
//! A case is `{"name","challenge","response","key","accepted"}`. `key` is the stored credential
//! `{"id","algorithm","publicKey","counter"}` that signs in, or null for a registration. The RP ID is
//! example.org, the origin `https://example.org`, and the user must be verified.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for developers: a failed step ends it"
)]

use data_encoding::BASE64URL_NOPAD;
use portcullis_domain::passkeys::{
    Aaguid, Algorithm, Assertion, AuthenticatorFlags, CredentialId, Passkey, PasskeyId, PasskeyPurpose, RelyingParty,
    UserHandle, default_name,
};
use portcullis_domain::registration::UserId;
use portcullis_ports::PasskeyVerifier;
use portcullis_testkit::authenticator::{BE, BS, Ceremony, ED, SoftwarePasskey, UP, UV};
use portcullis_webauthn::WebauthnVerifier;
use serde_json::{Value, json};

const ORIGIN: &str = "https://example.org";
const CHALLENGE: &str = "AAAAAAAAAAAAAAAAAAAAAA";

type Change = fn(&mut Ceremony);

/// Changes that other implementations judge too: of both kinds of responses.
const CHANGES: [(&str, Change); 9] = [
    ("unchanged", |_| {}),
    ("synced", |ceremony| ceremony.flags |= BE | BS),
    ("extensions", |ceremony| {
        (ceremony.flags, ceremony.extensions) = (ceremony.flags | ED, b"\xa1\x6bcredProtect\x02".to_vec());
    }),
    ("type", |ceremony| ceremony.kind = "webauthn.other".to_owned()),
    ("challenge", |ceremony| ceremony.challenge = "BBBBBBBBBBBBBBBBBBBBBA".to_owned()),
    ("origin", |ceremony| ceremony.origin = "https://example.net".to_owned()),
    ("rp_id", |ceremony| ceremony.rp_id = "example.net".to_owned()),
    ("user_presence", |ceremony| ceremony.flags &= !UP),
    ("user_verification", |ceremony| ceremony.flags &= !UV),
];

/// Changes of signatures.
const FORGERIES: [(&str, Change); 2] = [
    ("signature", |ceremony| ceremony.signature = Some(vec![0x30, 0x06, 2, 1, 1, 2, 1, 1])),
    ("unsigned", |ceremony| ceremony.signature = Some(Vec::new())),
];

fn main() {
    let Some(path) = std::env::args().nth(1) else {
        return println!("{}", Value::from(cases()));
    };
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for case in &cases {
        assert_eq!(Some(accepts(case)), member(case, "accepted").as_bool(), "{}", member(case, "name"));
    }
    println!("Portcullis: {} verdicts agree", cases.len());
}

fn cases() -> Vec<Value> {
    let rp = json!({"id": "example.org"});
    let options = json!({"rp": rp, "rpId": "example.org", "user": {"id": "AAAA"}, "challenge": CHALLENGE});
    let mut cases = Vec::new();
    for algorithm in Algorithm::ALL {
        let mut passkey = SoftwarePasskey::new(algorithm, ORIGIN);
        let public_key = BASE64URL_NOPAD.encode(&passkey.key.cose());
        let key = json!({"id": passkey.id(), "algorithm": algorithm.cose(), "publicKey": public_key, "counter": 0});
        let name = |kind, change| format!("{algorithm:?} {kind} {change}");
        for (change, apply) in CHANGES {
            let response = passkey.register_with(&options, apply);
            cases.push(case(&name("registration", change), &response, &Value::Null));
        }
        for (change, apply) in CHANGES.into_iter().chain(FORGERIES) {
            let response = passkey.sign_with(&options, apply);
            cases.push(case(&name("assertion", change), &response, &key));
        }
        let other = SoftwarePasskey::new(algorithm, ORIGIN).sign_with(&options, |ceremony| {
            ceremony.credential_id.clone_from(&passkey.credential_id);
        });
        cases.push(case(&name("assertion", "key"), &other, &key));
    }
    cases
}

/// Returns a case with the verdict of this service. Only changes named `unchanged`, `synced` and `extensions`
/// may be accepted.
fn case(name: &str, response: &Value, key: &Value) -> Value {
    let mut case = json!({"name": name, "challenge": CHALLENGE, "response": response, "key": key});
    let accepted = accepts(&case);
    assert_eq!(accepted, name.ends_with("unchanged") || name.ends_with("synced") || name.ends_with("extensions"));
    case.as_object_mut().unwrap().insert("accepted".to_owned(), accepted.into());
    case
}

fn accepts(case: &Value) -> bool {
    let party = RelyingParty::new("example.org".to_owned(), vec![ORIGIN.to_owned()], &[]).unwrap();
    let (response, challenge) = (member(case, "response").to_string(), decode(member(case, "challenge")));
    let key = member(case, "key");
    if key.is_null() {
        let parsed = WebauthnVerifier.registration(&response);
        return parsed.is_ok_and(|new| {
            let judged = party.judge_registration(&new, PasskeyPurpose::Register);
            judged.is_ok() && new.client_data.challenge == challenge
        });
    }
    WebauthnVerifier.assertion(&response).is_ok_and(|used| {
        let passkey = stored(key);
        let signed = WebauthnVerifier.verify(&passkey.public_key, passkey.algorithm, &used);
        // Other implementations leave the user handle to their callers.
        let (used, handle) = (Assertion { user_handle: None, ..used }, UserHandle::from_random([0; 32]));
        let judged = party.judge_assertion(&used, (&passkey, &handle), PasskeyPurpose::Reauthenticate);
        let is_asked = used.client_data.challenge == challenge && used.credential_id == passkey.credential_id;
        signed && judged.is_ok() && is_asked
    })
}

fn stored(key: &Value) -> Passkey {
    let algorithm = member(key, "algorithm").as_i64().and_then(Algorithm::from_cose).unwrap();
    Passkey {
        id: PasskeyId::from_random([1; 16]),
        user_id: UserId::new(1),
        credential_id: CredentialId::new(decode(member(key, "id"))).unwrap(),
        public_key: decode(member(key, "publicKey")),
        algorithm,
        rp_id: "example.org".to_owned(),
        counter: member(key, "counter").as_u64().and_then(|counter| counter.try_into().ok()).unwrap(),
        flags: AuthenticatorFlags(0),
        discoverable: true,
        aaguid: Aaguid([0; 16]),
        transports: Vec::new(),
        name: default_name(),
        second_factor: false,
        set_up_by: None,
        created_at: chrono::DateTime::UNIX_EPOCH,
        last_used_at: None,
    }
}

fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or_else(|| panic!("no {name}"))
}

fn decode(text: &Value) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_str().unwrap().as_bytes()).unwrap()
}
