//! Test vectors of WebAuthn Level 3, section 16.

use super::*;
use data_encoding::BASE64URL_NOPAD;
use portcullis_domain::passkeys::Algorithm::{EdDsa, Es256, Rs256};

/// Label, algorithm or fault, and names of the proved methods.
const VECTORS: [(&str, Result<Algorithm, PasskeyFault>, &[&str]); 10] = [
    ("none.ES256", Ok(Es256), &["swk"]),
    ("packed-self.ES256", Ok(Es256), &["swk"]),
    ("none.ES256.crossOrigin", Err(PasskeyFault::Origin), &["hwk", "user", "mfa"]),
    ("none.ES256.topOrigin", Err(PasskeyFault::Origin), &["hwk", "user", "mfa"]),
    ("none.ES256.long-credential-id", Ok(Es256), &["swk", "user", "mfa"]),
    ("packed.ES256", Ok(Es256), &["swk", "user", "mfa"]),
    ("packed.ES384", Err(PasskeyFault::Algorithm), &[]),
    ("packed.RS256", Ok(Rs256), &["swk"]),
    ("packed.EdDSA", Ok(EdDsa), &["hwk"]),
    ("fido-u2f.ES256", Ok(Es256), &["hwk"]),
];

fn bytes(vector: &Value, name: &str) -> Vec<u8> {
    hex::decode(vector[name].as_str().unwrap()).unwrap()
}

/// Returns the vector as a browser returns it.
fn credential(vector: &Value, members: &[&str], id: &[u8]) -> Value {
    let id = BASE64URL_NOPAD.encode(id);
    let response = members.iter().map(|name| ((*name).to_owned(), BASE64URL_NOPAD.encode(&bytes(vector, name)).into()));
    json!({
        "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
        "response": Value::Object(response.collect()),
    })
}

#[test]
fn published_responses_have_the_published_outcome() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../../fixtures/vectors.json")).unwrap();
    assert_eq!(vectors.len(), VECTORS.len());
    for (vector, (label, expected, amr)) in vectors.iter().zip(VECTORS) {
        assert_eq!(vector["label"], label);
        let (id, registration, authentication) =
            (bytes(vector, "credential_id"), &vector["registration"], &vector["authentication"]);
        let new = credential(registration, &["clientDataJSON", "attestationObject"], &id).to_string();
        let new = WebauthnVerifier.registration(&new).unwrap();
        assert_eq!(new.client_data.challenge, bytes(registration, "challenge"), "{label}");
        assert_eq!(new.aaguid.0.to_vec(), bytes(vector, "aaguid"), "{label}");
        let judged = party().judge_registration(&new, PasskeyPurpose::RegisterSecondFactor);
        assert_eq!(judged, expected, "{label}");

        let members = ["clientDataJSON", "authenticatorData", "signature"];
        let mut used = credential(authentication, &members, &id);
        used["response"]["userHandle"] = BASE64URL_NOPAD.encode(HANDLE.as_bytes()).into();
        let (used, challenge) = (used.to_string(), bytes(authentication, "challenge"));
        if expected == Err(PasskeyFault::Algorithm) {
            assert!(WebauthnVerifier.assertion(&used).is_ok(), "{label}");
            continue;
        }
        let passkey = stored(&new, expected.unwrap_or(Es256));
        let signed_in = sign_in(&used, &challenge, &passkey, &HANDLE).map(Methods::amr);
        assert_eq!(signed_in, expected.map(|_| amr.to_vec()), "{label}");
    }
}
