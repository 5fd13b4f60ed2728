//! Responses of the specification and of a software authenticator: which are accepted, and what every change
//! of them leads to.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

mod assertions;
mod keys;
mod registrations;
mod vectors;

use portcullis_domain::login::Methods;
use portcullis_domain::passkeys::{
    Algorithm, Passkey, PasskeyFault, PasskeyId, PasskeyPurpose, Registration, RelyingParty, UserHandle, default_name,
};
use portcullis_domain::registration::UserId;
use portcullis_ports::PasskeyVerifier;
use portcullis_testkit::authenticator::SoftwarePasskey;
use portcullis_webauthn::WebauthnVerifier;
use serde_json::{Value, json};

const ORIGIN: &str = "https://example.org";
const HANDLE: UserHandle = UserHandle::from_random([7; 32]);

fn party() -> RelyingParty {
    RelyingParty::new("example.org".to_owned(), vec![ORIGIN.to_owned()], &[]).unwrap()
}

/// Options for a new credential, with as much as the software authenticator reads.
fn creation() -> Value {
    let handle = data_encoding::BASE64URL_NOPAD.encode(HANDLE.as_bytes());
    json!({"rp": {"id": "example.org"}, "user": {"id": handle}, "challenge": "AAAAAAAAAAAAAAAAAAAAAA"})
}

fn request() -> Value {
    json!({"rpId": "example.org", "challenge": "BBBBBBBBBBBBBBBBBBBBBA"})
}

/// Returns the passkey to store for an accepted credential.
fn stored(new: &Registration, algorithm: Algorithm) -> Passkey {
    Passkey {
        id: PasskeyId::from_random([1; 16]),
        user_id: UserId::new(1),
        credential_id: new.credential_id.clone(),
        public_key: new.public_key.clone(),
        algorithm,
        rp_id: "example.org".to_owned(),
        counter: new.authenticator_data.counter,
        flags: new.authenticator_data.flags,
        discoverable: true,
        aaguid: new.aaguid,
        transports: new.transports.clone(),
        name: default_name(),
        second_factor: false,
        set_up_by: None,
        created_at: chrono::DateTime::UNIX_EPOCH,
        last_used_at: None,
    }
}

/// Creates a passkey and stores it.
fn registered(algorithm: Algorithm) -> (SoftwarePasskey, Passkey) {
    let mut passkey = SoftwarePasskey::new(algorithm, ORIGIN);
    let json = passkey.register(&creation()).to_string();
    let new = WebauthnVerifier.registration(&json).unwrap();
    assert_eq!(party().judge_registration(&new, PasskeyPurpose::Register), Ok(algorithm));
    let stored = stored(&new, algorithm);
    (passkey, stored)
}

/// Returns what a sign-in with a response proves, as a use case would, or why it is refused.
fn sign_in(json: &str, challenge: &[u8], passkey: &Passkey, handle: &UserHandle) -> Result<Methods, PasskeyFault> {
    let response = WebauthnVerifier.assertion(json).map_err(|_| PasskeyFault::Malformed)?;
    if response.credential_id != passkey.credential_id || response.client_data.challenge != challenge {
        return Err(PasskeyFault::Challenge);
    }
    if !WebauthnVerifier.verify(&passkey.public_key, passkey.algorithm, &response) {
        return Err(PasskeyFault::Signature);
    }
    party().judge_assertion(&response, (passkey, handle), PasskeyPurpose::LogIn)?;
    Ok(Passkey::methods(response.authenticator_data.flags))
}
