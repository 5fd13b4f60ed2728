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
    /// account. A passkey that is only a second factor does not sign in, even if it verified the user: it
    /// outlives a reset that removes other ways to sign in.
    ///
    /// A counter that did not grow is a sign of a copied authenticator only if the signature is valid. Flags of
    /// backups are never compared with earlier ones.
    ///
    /// # Errors
    /// Returns the first fault, in the order type, origin, RP ID, presence, verification, second factor, user
    /// handle, counter.
    ///
    /// ```
    /// use portcullis_domain::passkeys::*;
    /// # use portcullis_domain::{mfa::FactorName, registration::UserId};
    /// # use sha2::{Digest, Sha256};
    /// # let credential_id = CredentialId::new(vec![7]).ok_or("too long")?;
    /// # let passkey = Passkey { id: PasskeyId::from_random([1; 16]), user_id: UserId::new(1),
    /// #     credential_id: credential_id.clone(), public_key: vec![], algorithm: Algorithm::Es256,
    /// #     rp_id: "example.org".into(), counter: 7, flags: AuthenticatorFlags(5), discoverable: true,
    /// #     aaguid: Aaguid([0; 16]), transports: vec![], name: default_name(), second_factor: false,
    /// #     set_up_by: None, created_at: chrono::DateTime::UNIX_EPOCH, last_used_at: None };
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
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn judge_assertion(
        &self,
        response: &Assertion,
        (passkey, handle): (&Passkey, &UserHandle),
        purpose: PasskeyPurpose,
    ) -> Result<(), PasskeyFault> {
        let data = &response.authenticator_data;
        self.judge("webauthn.get", (&response.client_data, data), &passkey.rp_id, purpose)?;
        if purpose == PasskeyPurpose::LogIn && passkey.second_factor {
            return Err(PasskeyFault::SecondFactorOnly);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passkeys::{Aaguid, AuthenticatorFlags, CredentialId, PasskeyId, default_name};
    use crate::registration::UserId;
    use PasskeyFault::{Counter, Origin, RpId, Type, UserPresence, UserVerification};
    use PasskeyPurpose::{LogIn, Reauthenticate, Register, RegisterSecondFactor, SecondFactor};
    use proptest::prelude::*;

    const HANDLE: UserHandle = UserHandle::from_random([7; 32]);
    const ORIGIN: &str = "https://login.example.org";
    const APP: &str = "android:apk-key-hash:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn party() -> RelyingParty {
        RelyingParty::new("example.org".to_owned(), vec![ORIGIN.to_owned(), APP.to_owned()], &[]).unwrap()
    }

    fn signed_for(kind: &str) -> (ClientData, AuthenticatorData) {
        let client = ClientData {
            kind: kind.to_owned(),
            challenge: vec![1; 32],
            origin: ORIGIN.to_owned(),
            cross_origin: false,
        };
        let rp_id_hash = Sha256::digest("example.org").into();
        (client, AuthenticatorData { rp_id_hash, flags: AuthenticatorFlags(0x05), counter: 8 })
    }

    fn registration() -> Registration {
        let (client_data, authenticator_data) = signed_for("webauthn.create");
        Registration {
            client_data,
            authenticator_data,
            credential_id: CredentialId::new(vec![1]).unwrap(),
            aaguid: Aaguid([0; 16]),
            public_key: vec![1],
            algorithm: -7,
            key_is_valid: true,
            discoverable: None,
            transports: vec![],
        }
    }

    fn assertion() -> Assertion {
        let (client_data, authenticator_data) = signed_for("webauthn.get");
        Assertion {
            client_data,
            authenticator_data,
            credential_id: CredentialId::new(vec![1]).unwrap(),
            user_handle: Some(HANDLE.as_bytes().to_vec()),
            signed: vec![],
            signature: vec![],
        }
    }

    fn passkey(counter: u32, flags: u8) -> Passkey {
        Passkey {
            id: PasskeyId::from_random([1; 16]),
            user_id: UserId::new(1),
            credential_id: CredentialId::new(vec![1]).unwrap(),
            public_key: vec![1],
            algorithm: Algorithm::Es256,
            rp_id: "example.org".to_owned(),
            counter,
            flags: AuthenticatorFlags(flags),
            discoverable: true,
            aaguid: Aaguid([0; 16]),
            transports: vec![],
            name: default_name(),
            second_factor: false,
            set_up_by: None,
            created_at: chrono::DateTime::UNIX_EPOCH,
            last_used_at: None,
        }
    }

    type Change = fn(&mut ClientData, &mut AuthenticatorData);

    /// A change of what is signed for, and its fault if the user must be verified.
    const CHANGES: [(Change, PasskeyFault); 11] = [
        (|client, _| client.kind = "webauthn.other".to_owned(), Type),
        (|client, _| client.kind.clear(), Type),
        (|client, _| client.origin = "https://example.org".to_owned(), Origin),
        (|client, _| client.origin = "https://login.example.org/".to_owned(), Origin),
        (|client, _| client.origin = "https://LOGIN.example.org".to_owned(), Origin),
        (|client, _| client.origin = "https://login.example.org.evil.example".to_owned(), Origin),
        (|client, _| client.cross_origin = true, Origin),
        (|_, data| data.rp_id_hash = Sha256::digest("login.example.org").into(), RpId),
        (|_, data| data.rp_id_hash[31] ^= 1, RpId),
        (|_, data| data.flags = AuthenticatorFlags(0xfe), UserPresence),
        (|_, data| data.flags = AuthenticatorFlags(0xfb), UserVerification),
    ];

    #[test]
    fn responses_are_accepted_from_pages_and_apps() {
        for origin in [ORIGIN, APP] {
            let (mut new, mut used) = (registration(), assertion());
            (new.client_data.origin, used.client_data.origin) = (origin.to_owned(), origin.to_owned());
            assert_eq!(party().judge_registration(&new, Register), Ok(Algorithm::Es256));
            for purpose in [LogIn, SecondFactor, Reauthenticate] {
                assert_eq!(party().judge_assertion(&used, (&passkey(7, 5), &HANDLE), purpose), Ok(()));
            }
        }
    }

    #[test]
    fn every_changed_field_has_its_fault() {
        for (index, (change, fault)) in CHANGES.into_iter().enumerate() {
            let mut new = registration();
            change(&mut new.client_data, &mut new.authenticator_data);
            assert_eq!(party().judge_registration(&new, Register), Err(fault), "registration {index}");
            let mut used = assertion();
            change(&mut used.client_data, &mut used.authenticator_data);
            let judged = party().judge_assertion(&used, (&passkey(7, 5), &HANDLE), Reauthenticate);
            assert_eq!(judged, Err(fault), "assertion {index}");
        }
        let (mut new, mut used) = (registration(), assertion());
        (new.client_data.kind, used.client_data.kind) = ("webauthn.get".to_owned(), "webauthn.create".to_owned());
        assert_eq!(party().judge_registration(&new, Register), Err(Type));
        assert_eq!(party().judge_assertion(&used, (&passkey(7, 5), &HANDLE), LogIn), Err(Type));
    }

    #[test]
    fn first_fault_is_returned() {
        let (mut new, mut used) = (registration(), assertion());
        (new.algorithm, used.user_handle, used.authenticator_data.counter) = (0, Some(vec![]), 0);
        // Each change adds a fault that comes before those of the earlier ones.
        for (change, fault) in CHANGES.into_iter().rev() {
            change(&mut new.client_data, &mut new.authenticator_data);
            change(&mut used.client_data, &mut used.authenticator_data);
            assert_eq!(party().judge_registration(&new, Register), Err(fault));
            assert_eq!(party().judge_assertion(&used, (&passkey(7, 5), &HANDLE), Reauthenticate), Err(fault));
        }
        let used = Assertion { user_handle: Some(vec![]), client_data: assertion().client_data, ..used };
        let used = Assertion { authenticator_data: assertion().authenticator_data, ..used };
        let judged = party().judge_assertion(&used, (&passkey(9, 5), &HANDLE), Reauthenticate);
        assert_eq!(judged, Err(PasskeyFault::UserHandle), "before the counter");
    }

    #[test]
    fn user_is_verified_where_the_purpose_asks_for_it() {
        let (mut new, mut used) = (registration(), assertion());
        (new.authenticator_data.flags, used.authenticator_data.flags) = (AuthenticatorFlags(1), AuthenticatorFlags(1));
        assert_eq!(party().judge_registration(&new, RegisterSecondFactor), Ok(Algorithm::Es256));
        for purpose in [LogIn, SecondFactor] {
            assert_eq!(party().judge_assertion(&used, (&passkey(7, 5), &HANDLE), purpose), Ok(()));
        }
    }

    #[test]
    fn algorithm_is_supported_and_its_key_valid() {
        for (number, valid, expected) in [
            (-7, true, Ok(Algorithm::Es256)),
            (-8, true, Ok(Algorithm::EdDsa)),
            (-257, true, Ok(Algorithm::Rs256)),
            (-7, false, Err(PasskeyFault::Algorithm)),
            (-35, true, Err(PasskeyFault::Algorithm)),
            (-65535, true, Err(PasskeyFault::Algorithm)),
            (0, true, Err(PasskeyFault::Algorithm)),
            (i64::MAX, true, Err(PasskeyFault::Algorithm)),
        ] {
            let new = Registration { algorithm: number, key_is_valid: valid, ..registration() };
            assert_eq!(party().judge_registration(&new, Register), expected, "{number}");
        }
    }

    #[test]
    fn passkey_of_another_rp_id_is_refused() {
        let old = Passkey { rp_id: "example.net".to_owned(), ..passkey(7, 5) };
        let mut used = assertion();
        for hash_of in ["example.net", "example.org"] {
            used.authenticator_data.rp_id_hash = Sha256::digest(hash_of).into();
            assert_eq!(party().judge_assertion(&used, (&old, &HANDLE), LogIn), Err(RpId), "{hash_of}");
        }
    }

    #[test]
    fn passkey_that_is_only_a_second_factor_does_not_sign_in() {
        let only = Passkey { second_factor: true, ..passkey(7, 5) };
        let judge = |purpose| party().judge_assertion(&assertion(), (&only, &HANDLE), purpose);
        assert_eq!(judge(LogIn), Err(PasskeyFault::SecondFactorOnly));
        assert_eq!([SecondFactor, Reauthenticate].map(judge), [Ok(()), Ok(())]);
    }

    #[test]
    fn user_handle_is_the_accounts() {
        let handle = HANDLE.as_bytes();
        for (named, at_login, later) in [
            (Some(handle.to_vec()), true, true),
            (None, false, true),
            (Some(vec![]), false, false),
            (Some(handle[..31].to_vec()), false, false),
            (Some([handle.as_slice(), &[0]].concat()), false, false),
            (Some(vec![8; 32]), false, false),
        ] {
            let used = Assertion { user_handle: named, ..assertion() };
            for (purpose, accepted) in [(LogIn, at_login), (SecondFactor, later), (Reauthenticate, later)] {
                let expected = if accepted { Ok(()) } else { Err(PasskeyFault::UserHandle) };
                let judged = party().judge_assertion(&used, (&passkey(7, 5), &HANDLE), purpose);
                assert_eq!(judged, expected, "{purpose:?} {:?}", used.user_handle);
            }
        }
    }

    #[test]
    fn counter_grows_unless_the_authenticator_has_none() {
        for (stored, received, accepted) in [
            (0, 0, true),
            (0, 1, true),
            (7, 8, true),
            (7, u32::MAX, true),
            (7, 7, false),
            (7, 6, false),
            (7, 0, false),
            (u32::MAX, 0, false),
            (u32::MAX, u32::MAX, false),
        ] {
            let mut used = assertion();
            used.authenticator_data.counter = received;
            let expected = if accepted { Ok(()) } else { Err(Counter) };
            let judged = party().judge_assertion(&used, (&passkey(stored, 5), &HANDLE), LogIn);
            assert_eq!(judged, expected, "{stored} {received}");
        }
    }

    proptest! {
        #[test]
        fn flags_of_backups_never_matter(stored: u8, received: u8) {
            let (mut new, mut used) = (registration(), assertion());
            let flags = AuthenticatorFlags(received | 0x05);
            (new.authenticator_data.flags, used.authenticator_data.flags) = (flags, flags);
            prop_assert!(party().judge_registration(&new, Register).is_ok());
            prop_assert_eq!(party().judge_assertion(&used, (&passkey(7, stored), &HANDLE), Reauthenticate), Ok(()));
        }
    }
}
