//! The service towards browsers: its RP ID and the origins of its pages and apps.

use super::{Algorithm, Assertion, Passkey, PasskeyFault, PasskeyPurpose, Registration, UserHandle};

/// Relying party (WebAuthn §4): whose passkeys are accepted, and from which pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    /// RP ID: a host name.
    pub id: String,
    /// Allowed origins: `https://…` (or http on `localhost`) and `android:apk-key-hash:…`, compared exactly.
    pub origins: Vec<String>,
}

impl RelyingParty {
    /// Judges a new credential (WebAuthn §7.1), except its challenge, and returns its algorithm. A user who
    /// had to be verified must have been.
    ///
    /// # Errors
    /// Returns the first fault, in the order type, origin, RP ID, presence, verification, algorithm.
    pub fn judge_registration(
        &self,
        response: &Registration,
        purpose: PasskeyPurpose,
    ) -> Result<Algorithm, PasskeyFault> {
        let _ = (response, purpose);
        todo!("rules")
    }

    /// Judges a signature (WebAuthn §7.2), except its challenge and the signature itself. `handle` is that of
    /// the passkey's account. A sign-in needs the user handle in the response, because nothing else named the
    /// account.
    ///
    /// # Errors
    /// Returns the first fault.
    pub fn judge_assertion(
        &self,
        response: &Assertion,
        (passkey, handle): (&Passkey, &UserHandle),
        purpose: PasskeyPurpose,
    ) -> Result<(), PasskeyFault> {
        let _ = (response, passkey, handle, purpose);
        todo!("rules")
    }
}
