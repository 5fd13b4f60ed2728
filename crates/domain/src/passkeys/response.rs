//! Responses of a browser, parsed but not judged.

use super::{Aaguid, AuthenticatorFlags, CredentialId};

/// What the browser signed for (`CollectedClientData`, WebAuthn §5.8.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientData {
    /// `webauthn.create` or `webauthn.get`.
    pub kind: String,
    /// Challenge.
    pub challenge: Vec<u8>,
    /// Origin of the page, or of the app.
    pub origin: String,
    /// True if the page was embedded by one of another origin.
    pub cross_origin: bool,
}

/// What the authenticator signed for (WebAuthn §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthenticatorData {
    /// SHA-256 of the RP ID.
    pub rp_id_hash: [u8; 32],
    /// Flags.
    pub flags: AuthenticatorFlags,
    /// Counter of signatures.
    pub counter: u32,
}

/// A new credential (WebAuthn §5.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// What the browser signed for.
    pub client_data: ClientData,
    /// What the authenticator signed for.
    pub authenticator_data: AuthenticatorData,
    /// Id of the credential.
    pub credential_id: CredentialId,
    /// Model of the authenticator.
    pub aaguid: Aaguid,
    /// Public key, as the authenticator encoded it.
    pub public_key: Vec<u8>,
    /// Algorithm in the key: a number of the COSE registry.
    pub algorithm: i64,
    /// True if the key is a valid one of its algorithm.
    pub key_is_valid: bool,
    /// Whether the credential is discoverable, if the browser said so (`credProps`).
    pub discoverable: Option<bool>,
    /// How browsers reach the authenticator, as reported.
    pub transports: Vec<String>,
}

/// A signature by a credential (WebAuthn §5.2.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assertion {
    /// Id of the credential.
    pub credential_id: CredentialId,
    /// What the browser signed for.
    pub client_data: ClientData,
    /// What the authenticator signed for.
    pub authenticator_data: AuthenticatorData,
    /// `user.id` of the account, if the authenticator stored it.
    pub user_handle: Option<Vec<u8>>,
    /// Message that was signed: the authenticator data and the hash of the client data (§7.2 step 20).
    pub signed: Vec<u8>,
    /// Signature.
    pub signature: Vec<u8>,
}
