//! What one response is made of.

use super::key::sha256;

/// Parts of one response, for a test to change.
#[derive(Debug, Clone)]
pub struct Ceremony {
    /// `type` of the client data.
    pub kind: String,
    /// `challenge` of the client data, in base64url.
    pub challenge: String,
    /// `origin` of the client data.
    pub origin: String,
    /// `crossOrigin` of the client data; `None` omits the member.
    pub cross_origin: Option<bool>,
    /// Replaces the client data.
    pub client_data: Option<Vec<u8>>,
    /// RP ID that is hashed.
    pub rp_id: String,
    /// Flags: see [`UP`](super::UP) and others.
    pub flags: u8,
    /// Counter.
    pub counter: u32,
    /// Model of the authenticator.
    pub aaguid: [u8; 16],
    /// Id of the credential, in the authenticator data and in the JSON.
    pub credential_id: Vec<u8>,
    /// Public key: a COSE_Key.
    pub public_key: Vec<u8>,
    /// Bytes that follow in the authenticator data. If they are extensions, set the flag [`ED`](super::ED).
    pub extensions: Vec<u8>,
    /// Replaces the authenticator data.
    pub authenticator_data: Option<Vec<u8>>,
    /// `fmt` of the attestation object.
    pub attestation_format: String,
    /// `attStmt` of the attestation object, in CBOR.
    pub attestation_statement: Vec<u8>,
    /// Bytes that follow the attestation object.
    pub after_attestation: Vec<u8>,
    /// `userHandle`; `None` omits the member. Not part of a registration.
    pub user_handle: Option<Vec<u8>>,
    /// Replaces the signature.
    pub signature: Option<Vec<u8>>,
}

impl Ceremony {
    /// Returns the client data, serialized as WebAuthn §5.8.1.1 says.
    #[must_use]
    pub fn client_data(&self) -> Vec<u8> {
        if let Some(client_data) = &self.client_data {
            return client_data.clone();
        }
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let cross_origin = self.cross_origin.map(|cross| format!(r#","crossOrigin":{cross}"#)).unwrap_or_default();
        let [kind, challenge, origin] = [&self.kind, &self.challenge, &self.origin].map(|member| text(member));
        format!(r#"{{"type":{kind},"challenge":{challenge},"origin":{origin}{cross_origin}}}"#).into_bytes()
    }

    /// Returns the authenticator data (WebAuthn §6.1). The flag [`AT`](super::AT) adds the credential.
    #[must_use]
    pub fn authenticator_data(&self) -> Vec<u8> {
        if let Some(data) = &self.authenticator_data {
            return data.clone();
        }
        let mut data = [&sha256(self.rp_id.as_bytes()), [self.flags].as_slice(), &self.counter.to_be_bytes()].concat();
        if self.flags & super::AT != 0 {
            let length = u16::try_from(self.credential_id.len()).unwrap_or(u16::MAX);
            data.extend([&self.aaguid, length.to_be_bytes().as_slice(), &self.credential_id].concat());
            data.extend(&self.public_key);
        }
        data.extend(&self.extensions);
        data
    }
}
