//! Rules for responses (WebAuthn §7), except those for challenges and signatures.

use super::{
    Algorithm, Assertion, AuthenticatorData, ClientData, Passkey, PasskeyFault, PasskeyPurpose, Registration,
    RelyingParty, UserHandle,
};
use sha2::{Digest, Sha256};

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
        let signed_for = (&response.client_data, &response.authenticator_data);
        self.judge("webauthn.create", signed_for, &self.id, purpose)?;
        Algorithm::from_cose(response.algorithm).filter(|_| response.key_is_valid).ok_or(PasskeyFault::Algorithm)
    }

    /// Judges a signature (WebAuthn §7.2), except its challenge and the signature itself. `handle` is that of
    /// the passkey's account. A sign-in needs the user handle in the response, because nothing else named the
    /// account.
    ///
    /// Verify the signature first: only then is a counter that did not grow a sign of a copied authenticator.
    /// Flags of backups are never compared with earlier ones.
    ///
    /// # Errors
    /// Returns the first fault, in the order type, origin, RP ID, presence, verification, user handle, counter.
    ///
    /// ```
    /// use portcullis_domain::passkeys::*;
    /// # use portcullis_domain::{mfa::FactorName, registration::UserId};
    /// # use sha2::{Digest, Sha256};
    /// # let credential_id = CredentialId::new(vec![7]).unwrap();
    /// # let passkey = Passkey { id: PasskeyId::from_random([1; 16]), user_id: UserId::new(1),
    /// #     credential_id: credential_id.clone(), public_key: vec![], algorithm: Algorithm::Es256,
    /// #     rp_id: "example.org".into(), counter: 7, flags: AuthenticatorFlags(5), discoverable: true,
    /// #     aaguid: Aaguid([0; 16]), transports: vec![], name: default_name(), second_factor: false,
    /// #     created_at: chrono::DateTime::UNIX_EPOCH, last_used_at: None };
    /// # let handle = UserHandle::from_random([7; 32]);
    /// # let client_data = ClientData { kind: "webauthn.get".into(), challenge: vec![],
    /// #     origin: "https://login.example.org".into(), cross_origin: false };
    /// # let rp_id_hash = Sha256::digest("example.org").into();
    /// # let authenticator_data = AuthenticatorData { rp_id_hash, flags: AuthenticatorFlags(5), counter: 8 };
    /// # let mut response = Assertion { credential_id, client_data, authenticator_data,
    /// #     user_handle: Some(handle.as_bytes().to_vec()), signed: vec![], signature: vec![] };
    /// let origins = vec!["https://login.example.org".to_owned()];
    /// let party = RelyingParty::new("example.org".to_owned(), origins, &[])?;
    /// let judge = |response: &Assertion| party.judge_assertion(response, (&passkey, &handle), PasskeyPurpose::LogIn);
    /// assert_eq!(judge(&response), Ok(()));
    /// response.client_data.origin = "https://login.example.net".to_owned();
    /// assert_eq!(judge(&response), Err(PasskeyFault::Origin));
    /// # Ok::<(), RelyingPartyError>(())
    /// ```
    pub fn judge_assertion(
        &self,
        response: &Assertion,
        (passkey, handle): (&Passkey, &UserHandle),
        purpose: PasskeyPurpose,
    ) -> Result<(), PasskeyFault> {
        let data = &response.authenticator_data;
        self.judge("webauthn.get", (&response.client_data, data), &passkey.rp_id, purpose)?;
        let named = match &response.user_handle {
            Some(named) => named == handle.as_bytes(),
            None => purpose != PasskeyPurpose::LogIn,
        };
        if !named {
            return Err(PasskeyFault::UserHandle);
        }
        let grew = data.counter > passkey.counter || data.counter == 0 && passkey.counter == 0;
        if grew { Ok(()) } else { Err(PasskeyFault::Counter) }
    }

    /// Applies the rules for both kinds of responses. `rp_id` is that of the credential.
    fn judge(
        &self,
        kind: &str,
        (client, data): (&ClientData, &AuthenticatorData),
        rp_id: &str,
        purpose: PasskeyPurpose,
    ) -> Result<(), PasskeyFault> {
        if client.kind != kind {
            return Err(PasskeyFault::Type);
        }
        if client.cross_origin || !self.origins.contains(&client.origin) {
            return Err(PasskeyFault::Origin);
        }
        if rp_id != self.id || data.rp_id_hash != <[u8; 32]>::from(Sha256::digest(rp_id)) {
            return Err(PasskeyFault::RpId);
        }
        if !data.flags.user_present() {
            return Err(PasskeyFault::UserPresence);
        }
        if purpose.requires_user_verification() && !data.flags.user_verified() {
            return Err(PasskeyFault::UserVerification);
        }
        Ok(())
    }
}
