//! Doubles of authenticators and their verifier: readable responses without cryptography.

use portcullis_domain::passkeys::{
    Aaguid, Algorithm, Assertion, AuthenticatorData, AuthenticatorFlags, ClientData, CredentialId, Registration,
    UserHandle,
};
use portcullis_ports::{MalformedCredential, PasskeyVerifier};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Reads the responses of a [`PlainKey`]. A signature is the public key, which is the credential id.
#[derive(Debug, Clone, Copy)]
pub struct PlainPasskeys;

/// An authenticator with one credential, and the page that it is used on.
#[derive(Debug, Clone)]
pub struct PlainKey {
    /// Credential id.
    pub id: Vec<u8>,
    /// RP ID.
    pub rp_id: String,
    /// Origin of the page.
    pub origin: String,
    /// Flags of its authenticator data.
    pub flags: u8,
    /// Counter of its next response.
    pub counter: u32,
    /// `user.id` that it stored.
    pub handle: Option<UserHandle>,
}

impl PlainKey {
    /// Flags of a user who was present.
    pub const PRESENT: u8 = 0x01;
    /// Flags of a user who was present and verified.
    pub const VERIFIED: u8 = 0x05;

    /// Creates a key that verifies its user and counts nothing.
    #[must_use]
    pub fn new(id: u8, rp_id: &str) -> Self {
        let origin = format!("https://{rp_id}");
        Self { id: vec![id; 16], rp_id: rp_id.to_owned(), origin, flags: Self::VERIFIED, counter: 0, handle: None }
    }

    /// Returns the response to a request for a new credential.
    #[must_use]
    pub fn register(&self, challenge: &[u8]) -> Value {
        self.response("webauthn.create", challenge)
    }

    /// Returns the response to a request for a signature.
    #[must_use]
    pub fn sign(&self, challenge: &[u8]) -> Value {
        self.response("webauthn.get", challenge)
    }

    fn response(&self, kind: &str, challenge: &[u8]) -> Value {
        let Self { id, rp_id, origin, flags, counter, handle } = self;
        json!({
            "id": id, "type": kind, "challenge": challenge, "origin": origin, "cross_origin": false, "rp_id": rp_id,
            "flags": flags, "counter": counter, "handle": handle.map(|handle| handle.as_bytes().to_vec()),
            "algorithm": Algorithm::Es256.cose(), "valid": true, "signature": id,
        })
    }
}

/// Members of a response.
struct Members(Value);

impl Members {
    fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().map(Self)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.0.get(name)?.as_array()?.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect()
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    fn client_data(&self) -> Option<ClientData> {
        let (kind, challenge, origin) = (self.text("type")?, self.bytes("challenge")?, self.text("origin")?);
        Some(ClientData { kind, challenge, origin, cross_origin: self.flag("cross_origin")? })
    }

    fn authenticator_data(&self) -> Option<AuthenticatorData> {
        let number = |name| u32::try_from(self.0.get(name)?.as_u64()?).ok();
        Some(AuthenticatorData {
            rp_id_hash: Sha256::digest(self.text("rp_id")?).into(),
            flags: AuthenticatorFlags(u8::try_from(number("flags")?).ok()?),
            counter: number("counter")?,
        })
    }

    fn registration(&self) -> Option<Registration> {
        Some(Registration {
            client_data: self.client_data()?,
            authenticator_data: self.authenticator_data()?,
            credential_id: CredentialId::new(self.bytes("id")?)?,
            aaguid: Aaguid([7; 16]),
            public_key: self.bytes("id")?,
            algorithm: self.0.get("algorithm")?.as_i64()?,
            key_is_valid: self.flag("valid")?,
            discoverable: None,
            transports: vec!["internal".to_owned()],
        })
    }

    fn assertion(&self) -> Option<Assertion> {
        Some(Assertion {
            credential_id: CredentialId::new(self.bytes("id")?)?,
            client_data: self.client_data()?,
            authenticator_data: self.authenticator_data()?,
            user_handle: self.bytes("handle"),
            signed: Vec::new(),
            signature: self.bytes("signature")?,
        })
    }
}

impl PasskeyVerifier for PlainPasskeys {
    fn registration(&self, json: &str) -> Result<Registration, MalformedCredential> {
        Members::parse(json).and_then(|members| members.registration()).ok_or(MalformedCredential("a member"))
    }

    fn assertion(&self, json: &str) -> Result<Assertion, MalformedCredential> {
        Members::parse(json).and_then(|members| members.assertion()).ok_or(MalformedCredential("a member"))
    }

    fn verify(&self, public_key: &[u8], _: Algorithm, assertion: &Assertion) -> bool {
        assertion.signature == public_key
    }
}
