//! Accounts with passkeys, and the calls made on their behalf.

use super::accounts::Pair;
use super::calls::Reply;
use super::services::{Service, ServiceBuilder};
use portcullis_domain::passkeys::Algorithm;
pub(crate) use portcullis_testkit::authenticator::{SoftwarePasskey, UP};
use serde_json::{Value, json};

/// RP ID of a service that has passkeys.
pub(crate) const RP_ID: &str = "example.org";
/// Origin of its pages.
pub(crate) const ORIGIN: &str = "https://login.example.org";

impl ServiceBuilder {
    /// Turns passkeys on.
    pub(crate) fn with_passkeys(self) -> Self {
        self.set("WEBAUTHN_RP_ID", RP_ID).set("WEBAUTHN_ORIGINS", ORIGIN)
    }
}

/// Passkey of an account.
pub(crate) struct Added {
    pub(crate) key: SoftwarePasskey,
    /// Id of the passkey.
    pub(crate) id: String,
    /// Response to the registration.
    pub(crate) view: Value,
}

/// Returns a new key of an authenticator that is used on a page of this origin.
pub(crate) fn new_key(origin: &str) -> SoftwarePasskey {
    SoftwarePasskey::new(Algorithm::Es256, origin)
}

impl Service {
    /// Returns the options to create a passkey.
    #[track_caller]
    pub(crate) fn passkey_options(&self, access: &str, second_factor: bool) -> Value {
        let body = json!({"second_factor": second_factor});
        self.tell("POST", "/auth/passkeys/options", access, &body).expect(200)["publicKey"].clone()
    }

    pub(crate) fn send_passkey(&self, access: &str, credential: &Value, second_factor: bool) -> Reply {
        let body = json!({"name": "phone", "second_factor": second_factor, "credential": credential});
        self.tell("POST", "/auth/passkeys", access, &body)
    }

    /// Adds a key to an account as a passkey.
    #[track_caller]
    pub(crate) fn add_key(&self, pair: &Pair, mut key: SoftwarePasskey, second_factor: bool) -> Added {
        let credential = key.register(&self.passkey_options(&pair.access, second_factor));
        let view = self.send_passkey(&pair.access, &credential, second_factor).expect(201);
        let id = view["id"].as_str().unwrap().to_owned();
        Added { key, id, view }
    }

    /// Adds a new passkey to an account.
    #[track_caller]
    pub(crate) fn add_passkey(&self, pair: &Pair) -> Added {
        self.add_key(pair, new_key(ORIGIN), false)
    }

    /// Adds a new passkey, which does not verify its user, as a second factor.
    #[track_caller]
    pub(crate) fn add_security_key(&self, pair: &Pair) -> Added {
        let mut key = new_key(ORIGIN);
        key.flags = UP;
        key.discoverable = false;
        self.add_key(pair, key, true)
    }

    pub(crate) fn passkeys(&self, access: &str) -> Value {
        self.ask("GET", "/auth/passkeys", access).expect(200)
    }

    pub(crate) fn remove_passkey(&self, access: &str, id: &str) -> Reply {
        self.ask("DELETE", &format!("/auth/passkeys/{id}"), access)
    }

    /// Returns the options to sign in.
    #[track_caller]
    pub(crate) fn sign_in_options(&self) -> Value {
        self.post("/auth/passkeys/login/options", &json!({})).expect(200)["publicKey"].clone()
    }

    /// Signs in with a key.
    pub(crate) fn sign_in_with(&self, key: &mut SoftwarePasskey) -> Reply {
        self.sign_in_with_from("", key)
    }

    /// Signs in with a key in a browser with this cookie.
    pub(crate) fn sign_in_with_from(&self, cookie: &str, key: &mut SoftwarePasskey) -> Reply {
        let credential = key.sign(&self.sign_in_options());
        self.send_sign_in(cookie, &credential)
    }

    pub(crate) fn send_sign_in(&self, cookie: &str, credential: &Value) -> Reply {
        let call = self.call("POST", "/auth/passkeys/login").header("Cookie", cookie);
        call.json(&json!({"credential": credential})).send()
    }

    pub(crate) fn reauthentication_options(&self, access: &str) -> Value {
        self.ask("POST", "/auth/reauthenticate/options", access).expect(200)
    }
}
