//! Responses of passkeys: what is accepted holds what its bytes say, and nothing but the signed response
//! verifies. The oracle slices the authenticator data itself and reads the client data with a second parser.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_domain::passkeys::{Algorithm, Assertion, AuthenticatorData, ClientData, Registration};
use portcullis_ports::PasskeyVerifier;
use portcullis_webauthn::WebauthnVerifier;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Vector "packed.EdDSA" of WebAuthn Level 3, section 16, in hex.
static VECTOR: LazyLock<Value> = LazyLock::new(|| {
    let vectors = include_str!("../../crates/adapters/webauthn/fixtures/vectors.json");
    let vectors: Vec<Value> = serde_json::from_str(vectors).expect("vectors");
    vectors.into_iter().find(|vector| vector["label"] == "packed.EdDSA").expect("its vector")
});

/// Parses a response; the first byte selects the part that the rest replaces.
pub fn passkeys(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    let replaced = |kind, member: &str| credential(kind, &[(member, rest)]).to_string();
    match how % 9 {
        0 => registration(&String::from_utf8_lossy(rest)),
        1 => assertion(&String::from_utf8_lossy(rest)),
        2 => registration(&replaced("registration", "clientDataJSON")),
        3 => registration(&replaced("registration", "attestationObject")),
        4 => registration(&credential("registration", &[("attestationObject", &attestation(rest))]).to_string()),
        5 => registration(
            &credential("registration", &[("attestationObject", &attestation(&with_key(rest)))]).to_string(),
        ),
        6 => assertion(&replaced("authentication", "authenticatorData")),
        7 => key(rest),
        _ => mutated(rest),
    }
}

/// Returns a response of the vector, with other bytes for some members.
fn credential(kind: &str, replaced: &[(&str, &[u8])]) -> Value {
    let members = VECTOR[kind].as_object().expect("members").iter().filter(|(name, _)| *name != "challenge");
    let mut response: Value = members.map(|(name, value)| (name.clone(), Value::from(encode(&unhex(value))))).collect();
    for (name, bytes) in replaced {
        response[*name] = encode(bytes).into();
    }
    let id = encode(&unhex(&VECTOR["credential_id"]));
    json!({"id": id, "rawId": id, "type": "public-key", "response": response})
}

/// Returns an attestation object that contains authenticator data.
fn attestation(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
    [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".as_slice(), &length, data].concat()
}

/// Returns authenticator data that contains a key.
fn with_key(key: &[u8]) -> Vec<u8> {
    let id = unhex(&VECTOR["credential_id"]);
    [&[7; 32], [0x45].as_slice(), &[0; 4], &[9; 16], &[0, 32], &id, key].concat()
}

fn registration(json: &str) {
    let Ok(new) = WebauthnVerifier.registration(json) else { return };
    let credential: Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(credential["id"], encode(new.credential_id.as_bytes()));
    client_data_is(&new.client_data, &decode(&credential["response"]["clientDataJSON"]));
    let object = decode(&credential["response"]["attestationObject"]);
    let id = new.credential_id.as_bytes();
    // The fields that come before the key, as the authenticator wrote them.
    let Registration { authenticator_data: AuthenticatorData { rp_id_hash, flags, counter }, aaguid, .. } = &new;
    let length = u16::try_from(id.len()).expect("a length").to_be_bytes();
    let head = [rp_id_hash, [flags.0].as_slice(), &counter.to_be_bytes(), &aaguid.0, &length, id].concat();
    let written = [head, new.public_key.clone()].concat();
    assert!(contains(&object, &written), "no such bytes");
    assert!(flags.0 & 0x40 != 0, "a credential without its flag");
    if new.key_is_valid {
        assert!(Algorithm::from_cose(new.algorithm).is_some(), "{}", new.algorithm);
        assert!(new.public_key.len() >= 40, "too short for any key");
    }
    assert!(new.transports.len() <= 8 && new.transports.iter().all(|name| (1..=32).contains(&name.len())));
}

fn assertion(json: &str) {
    let Ok(used) = WebauthnVerifier.assertion(json) else { return };
    let credential: Value = serde_json::from_str(json).expect("JSON");
    let (response, id) = (&credential["response"], encode(used.credential_id.as_bytes()));
    assert_eq!((&credential["id"], &credential["rawId"]), (&id.clone().into(), &id.into()));
    let (client_data, data) = (decode(&response["clientDataJSON"]), decode(&response["authenticatorData"]));
    client_data_is(&used.client_data, &client_data);
    assert_eq!(used.signed, [data.as_slice(), Sha256::digest(&client_data).as_slice()].concat());
    let AuthenticatorData { rp_id_hash, flags, counter } = used.authenticator_data;
    assert_eq!(data[..37], [&rp_id_hash, [flags.0].as_slice(), &counter.to_be_bytes()].concat());
    assert!(data.len() == 37 || flags.0 & 0xc0 != 0, "bytes that no flag announces");
}

fn client_data_is(parsed: &ClientData, bytes: &[u8]) {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let expected: Value = serde_json::from_slice(text).expect("JSON");
    assert_eq!(
        (&expected["type"], &expected["origin"]),
        (&parsed.kind.as_str().into(), &parsed.origin.as_str().into())
    );
    assert_eq!(expected["challenge"], encode(&parsed.challenge));
    assert_eq!(parsed.cross_origin, expected["crossOrigin"] == true || expected.get("topOrigin").is_some());
}

/// Verifies the signature of the vector with another key.
fn key(key: &[u8]) {
    let (new, used) = vector();
    let verified = Algorithm::ALL.map(|algorithm| WebauthnVerifier.verify(key, algorithm, &used));
    // The point of the curve, which is what the key ends with.
    let point = &new.public_key[new.public_key.len() - 32..];
    assert!(contains(key, point) || verified == [false; 3], "a signature by another key");
}

/// Changes bytes of the signed response by triples of member, position and value. It must not verify unless
/// nothing changed.
fn mutated(changes: &[u8]) {
    let whole = &VECTOR["authentication"];
    let mut members = ["clientDataJSON", "authenticatorData", "signature"].map(|name| (name, unhex(&whole[name])));
    for change in changes.chunks_exact(3) {
        let (_, bytes) = &mut members[usize::from(change[0] % 3)];
        let place = usize::from(change[1]) % bytes.len();
        bytes[place] = change[2];
    }
    let changed = members.iter().any(|(name, bytes)| *bytes != unhex(&whole[*name]));
    let credential = credential("authentication", &members.each_ref().map(|(name, bytes)| (*name, bytes.as_slice())));
    assertion(&credential.to_string());
    let Ok(used) = WebauthnVerifier.assertion(&credential.to_string()) else { return assert!(changed) };
    let verified = WebauthnVerifier.verify(&vector().0.public_key, Algorithm::EdDsa, &used);
    assert_ne!(verified, changed, "{credential}");
}

fn vector() -> (Registration, Assertion) {
    let new = WebauthnVerifier.registration(&credential("registration", &[]).to_string());
    let used = WebauthnVerifier.assertion(&credential("authentication", &[]).to_string());
    (new.expect("the vector"), used.expect("the vector"))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().expect("a string")).expect("base64url")
}

fn unhex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().expect("hex").as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("hex")).collect()
}
