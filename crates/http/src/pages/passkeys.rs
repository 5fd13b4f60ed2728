//! What the script of the account pages (`assets/passkeys.js`) gets in a page: options and signals, as JSON.

use super::page::PageContent;
use crate::body::{CREDENTIAL, Fields};
use crate::passkeys::{PublicKeyCreationOptions, PublicKeyRequestOptions, SignalResponse};
use portcullis_usecases::passkeys::{CreationOptions, PasskeysListed, RequestOptions};
use serde::Serialize;
use serde_json::{Value, json};

/// Options of a browser's WebAuthn API, as JSON.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct PasskeyOptions(String);

/// Call of a static method of `PublicKeyCredential`, which lets authenticators know which passkeys exist.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Signal {
    method: &'static str,
    /// The argument as JSON.
    argument: String,
}

impl PasskeyOptions {
    /// Returns options for `parseRequestOptionsFromJSON`.
    pub(super) fn request(options: RequestOptions) -> Option<Self> {
        serde_json::to_string(&PublicKeyRequestOptions::from(options)).ok().map(Self)
    }

    /// Returns options of a service with this name for `parseCreationOptionsFromJSON`.
    pub(super) fn creation(options: CreationOptions, app_name: &str) -> Option<Self> {
        serde_json::to_string(&PublicKeyCreationOptions::of(options, app_name)).ok().map(Self)
    }

    /// Returns options for samples.
    pub(super) fn sample(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Signal {
    /// Signals all passkeys of an account.
    pub(super) fn all(listed: &PasskeysListed) -> Option<Self> {
        let argument = serde_json::to_string(&SignalResponse::from(listed)).ok()?;
        Some(Self { method: "signalAllAcceptedCredentials", argument })
    }

    /// Signals that no account has the passkey of a response.
    pub(super) fn unknown(credential: &str, rp_id: &str) -> Option<Self> {
        let credential: Value = serde_json::from_str(credential).ok()?;
        let argument = json!({ "rpId": rp_id, "credentialId": credential.get("id")?.as_str()? }).to_string();
        Some(Self { method: "signalUnknownCredential", argument })
    }

    /// Returns a signal for samples.
    pub(super) fn sample(text: &str) -> Self {
        Self { method: "signalUnknownCredential", argument: text.to_owned() }
    }
}

impl PageContent<'_> {
    /// Returns whether the page needs the script.
    pub(super) const fn uses_passkeys(&self) -> bool {
        match self {
            Self::SignIn(page) => page.uses_passkeys(),
            Self::Settings(page) => page.uses_passkeys(),
            _ => false,
        }
    }
}

/// Reads the response of a passkey that the script put in a form, if any.
pub(super) fn credential(fields: &mut Fields) -> Option<String> {
    fields.optional(CREDENTIAL.name).filter(|credential| !credential.is_empty())
}
