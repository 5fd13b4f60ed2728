//! Software authenticator (WebAuthn §6) with its browser. Responds to options as `credential.toJSON()` does,
//! and lets a test change every byte of a response.

#![expect(clippy::panic, reason = "a failed step fails the test, in tests only")]

mod cbor;
mod ceremony;
mod key;

pub use ceremony::Ceremony;
pub use key::SoftwareKey;

use data_encoding::BASE64URL_NOPAD;
use portcullis_domain::passkeys::Algorithm;
use serde_json::{Value, json};

/// User present (UP).
pub const UP: u8 = 0x01;
/// User verified (UV).
pub const UV: u8 = 0x04;
/// Backup eligible (BE).
pub const BE: u8 = 0x08;
/// Backed up (BS).
pub const BS: u8 = 0x10;
/// Attested credential data follows (AT).
pub const AT: u8 = 0x40;
/// Extensions follow (ED).
pub const ED: u8 = 0x80;

/// One credential of an authenticator, whose browser is on a page of `origin`.
///
/// ```
/// use portcullis_domain::passkeys::Algorithm;
/// use portcullis_testkit::authenticator::{SoftwarePasskey, UP};
/// use serde_json::json;
/// let mut passkey = SoftwarePasskey::new(Algorithm::Es256, "https://login.example.org");
/// let options = json!({"rp": {"id": "example.org"}, "user": {"id": "AAAA"}, "challenge": "BBBB"});
/// let credential = passkey.register(&options);
/// assert_eq!(credential["type"], "public-key");
/// let options = json!({"rpId": "example.org", "challenge": "CCCC"});
/// assert_eq!(passkey.sign(&options)["response"]["userHandle"], "AAAA");
/// let unverified = passkey.sign_with(&options, |ceremony| ceremony.flags = UP);
/// assert_eq!(unverified["id"], credential["id"]);
/// ```
#[derive(Debug)]
pub struct SoftwarePasskey {
    /// Origin of the page.
    pub origin: String,
    /// Id of the credential. Derived from the key by default.
    pub credential_id: Vec<u8>,
    /// Key.
    pub key: SoftwareKey,
    /// Flags of every response: UP and UV by default. AT is added at a registration.
    pub flags: u8,
    /// Counter of the last response. It counts each signature unless it is 0, the default.
    pub counter: u32,
    /// Model of the authenticator.
    pub aaguid: [u8; 16],
    /// How the browser reaches it.
    pub transports: Vec<String>,
    /// True (default) if it stores the user handle, so that it can be found without its id.
    pub discoverable: bool,
    /// `user.id` of the options that created it.
    pub user_handle: Option<Vec<u8>>,
}

impl SoftwarePasskey {
    /// Creates a passkey with a new key.
    #[must_use]
    pub fn new(algorithm: Algorithm, origin: &str) -> Self {
        let key = SoftwareKey::generate(algorithm);
        Self {
            origin: origin.to_owned(),
            credential_id: key.id(),
            key,
            flags: UP | UV,
            counter: 0,
            aaguid: [0; 16],
            transports: vec!["internal".to_owned()],
            discoverable: true,
            user_handle: None,
        }
    }

    /// Returns the id of the credential, as JSON has it.
    #[must_use]
    pub fn id(&self) -> String {
        BASE64URL_NOPAD.encode(&self.credential_id)
    }

    /// Responds to the `publicKey` of `navigator.credentials.create()`.
    pub fn register(&mut self, options: &Value) -> Value {
        self.register_with(options, |_| {})
    }

    /// As [`register`](Self::register), after a change of what is signed for or returned.
    pub fn register_with(&mut self, options: &Value, change: impl FnOnce(&mut Ceremony)) -> Value {
        let mut ceremony = self.ceremony("webauthn.create", text(options, "/challenge"));
        ceremony.rp_id = text(options, "/rp/id");
        ceremony.flags |= AT;
        self.user_handle = Some(decode(&text(options, "/user/id")));
        change(&mut ceremony);
        let authenticator_data = ceremony.authenticator_data();
        let object = cbor::map(&[
            (cbor::text("fmt"), cbor::text(&ceremony.attestation_format)),
            (cbor::text("attStmt"), ceremony.attestation_statement.clone()),
            (cbor::text("authData"), cbor::bytes(&authenticator_data)),
        ]);
        let response = json!({
            "clientDataJSON": BASE64URL_NOPAD.encode(&ceremony.client_data()),
            "attestationObject": BASE64URL_NOPAD.encode(&[object, ceremony.after_attestation].concat()),
            "authenticatorData": BASE64URL_NOPAD.encode(&authenticator_data),
            "publicKeyAlgorithm": self.key.algorithm().cose(),
            "transports": self.transports,
        });
        self.credential(&ceremony.credential_id, &json!({"credProps": {"rk": self.discoverable}}), &response)
    }

    /// Responds to the `publicKey` of `navigator.credentials.get()`.
    pub fn sign(&mut self, options: &Value) -> Value {
        self.sign_with(options, |_| {})
    }

    /// As [`sign`](Self::sign), after a change of what is signed for or returned.
    pub fn sign_with(&mut self, options: &Value, change: impl FnOnce(&mut Ceremony)) -> Value {
        if self.counter != 0 {
            self.counter = self.counter.wrapping_add(1);
        }
        let mut ceremony = self.ceremony("webauthn.get", text(options, "/challenge"));
        ceremony.rp_id = text(options, "/rpId");
        change(&mut ceremony);
        let (authenticator_data, client_data) = (ceremony.authenticator_data(), ceremony.client_data());
        let signed = [authenticator_data.as_slice(), &key::sha256(&client_data)].concat();
        let signature = ceremony.signature.clone().unwrap_or_else(|| self.key.sign(&signed));
        let mut response = json!({
            "clientDataJSON": BASE64URL_NOPAD.encode(&client_data),
            "authenticatorData": BASE64URL_NOPAD.encode(&authenticator_data),
            "signature": BASE64URL_NOPAD.encode(&signature),
        });
        if let (Some(handle), Some(members)) = (&ceremony.user_handle, response.as_object_mut()) {
            members.insert("userHandle".to_owned(), BASE64URL_NOPAD.encode(handle).into());
        }
        self.credential(&ceremony.credential_id, &json!({}), &response)
    }

    fn ceremony(&self, kind: &str, challenge: String) -> Ceremony {
        Ceremony {
            kind: kind.to_owned(),
            challenge,
            origin: self.origin.clone(),
            cross_origin: Some(false),
            client_data: None,
            rp_id: String::new(),
            flags: self.flags,
            counter: self.counter,
            aaguid: self.aaguid,
            credential_id: self.credential_id.clone(),
            public_key: self.key.cose(),
            extensions: Vec::new(),
            authenticator_data: None,
            attestation_format: "none".to_owned(),
            attestation_statement: cbor::map(&[]),
            after_attestation: Vec::new(),
            user_handle: self.user_handle.clone().filter(|_| self.discoverable),
            signature: None,
        }
    }

    fn credential(&self, id: &[u8], extensions: &Value, response: &Value) -> Value {
        let id = BASE64URL_NOPAD.encode(id);
        json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "authenticatorAttachment": if self.transports == ["internal"] { "platform" } else { "cross-platform" },
            "clientExtensionResults": extensions,
            "response": response,
        })
    }
}

fn text(options: &Value, pointer: &str) -> String {
    let text = options.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("no text at {pointer} of {options}")).to_owned()
}

fn decode(text: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}
