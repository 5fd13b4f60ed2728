//! Responses of passkeys (WebAuthn Level 3): strict parsers with limits, and signatures by aws-lc. ADR 24 says
//! why this is no library.

mod authenticator_data;
mod cbor;
mod client_data;
mod cose;
mod response;

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_domain::passkeys::{Algorithm, Assertion, Registration};
use portcullis_ports::{MalformedCredential, PasskeyVerifier};

/// Parses the JSON of `credential.toJSON()`. Knows the algorithms of [`Algorithm`].
#[derive(Debug, Clone, Copy)]
pub struct WebauthnVerifier;

impl PasskeyVerifier for WebauthnVerifier {
    fn registration(&self, json: &str) -> Result<Registration, MalformedCredential> {
        response::registration(json)
    }

    fn assertion(&self, json: &str) -> Result<Assertion, MalformedCredential> {
        response::assertion(json)
    }

    fn verify(&self, public_key: &[u8], algorithm: Algorithm, assertion: &Assertion) -> bool {
        let key = cose::Key::parse(public_key).and_then(|key| key.public_key(algorithm));
        key.is_some_and(|key| key.verify_sig(&assertion.signed, &assertion.signature).is_ok())
    }
}

fn sha256(bytes: &[u8]) -> impl AsRef<[u8]> {
    digest(&SHA256, bytes)
}
