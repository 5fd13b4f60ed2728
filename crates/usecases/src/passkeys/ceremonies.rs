//! Requests and verifies signatures of passkeys (the authentication ceremony, WebAuthn §7.2). Every use case
//! that accepts one shares the checks.

use super::{CredentialDescriptor, PasskeyChallenges, PasskeysOff, RequestOptions};
use crate::caller::Caller;
use crate::{LOG, SECURITY_LOG};
use chrono::{DateTime, Utc};
use portcullis_domain::login::{Methods, Owner};
use portcullis_domain::passkeys::{
    Assertion, AuthenticatorData, AuthenticatorFlags, Passkey, PasskeyChallenge, PasskeyFault, PasskeyPurpose,
    RelyingParty, UserHandle,
};
use portcullis_domain::registration::UserId;
use portcullis_ports::{PasskeyVerifier, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// What the use cases of passkeys share.
pub struct PasskeyCeremonies {
    /// The service towards browsers. `None`: passkeys are off.
    pub party: Option<RelyingParty>,
    /// Parses responses and verifies signatures.
    pub verifier: Arc<dyn PasskeyVerifier>,
    /// Issues and checks challenges.
    pub challenges: PasskeyChallenges,
}

/// A signature that was verified, but whose challenge is not used up yet.
#[derive(Debug, Clone)]
pub(crate) struct VerifiedPasskey {
    /// The passkey, as read.
    pub(crate) passkey: Passkey,
    counter: u32,
    flags: AuthenticatorFlags,
    challenge: PasskeyChallenge,
}

/// Reason why a signature was not verified. A refusal was logged.
#[derive(Debug)]
pub(crate) enum VerifyPasskeyError {
    Refused(PasskeyFault),
    Failed(StoreError),
}

impl From<StoreError> for VerifyPasskeyError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl PasskeyCeremonies {
    /// Returns the relying party.
    ///
    /// # Errors
    /// Returns [`PasskeysOff`] if passkeys are off.
    pub(crate) fn party(&self) -> Result<&RelyingParty, PasskeysOff> {
        self.party.as_ref().ok_or(PasskeysOff)
    }

    /// Returns whether browsers can use a passkey with this service: it was made for its RP ID.
    #[must_use]
    pub fn can_use(&self, passkey: &Passkey) -> bool {
        self.party.as_ref().is_some_and(|party| party.id == passkey.rp_id)
    }

    /// Returns whether a passkey signs in: browsers offer it, and it is more than a second factor.
    pub(crate) fn signs_in(&self, passkey: &Passkey) -> bool {
        self.can_use(passkey) && passkey.discoverable && !passkey.second_factor
    }

    /// Returns whether someone can sign in to an account: with the password, an identity, or a passkey.
    pub(crate) fn can_sign_in(&self, owner: &Owner, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        Ok(owner.credentials.has_password()
            || !tx.identities().list(owner.user.id)?.is_empty()
            || tx.passkeys().list(owner.user.id)?.iter().any(|passkey| self.signs_in(passkey)))
    }

    /// Returns options to sign with one of an account's passkeys, or `None` if it has none that can be used.
    pub(crate) fn request(
        &self,
        purpose: PasskeyPurpose,
        user_id: UserId,
        passkeys: &[Passkey],
        user_verification: bool,
    ) -> Option<RequestOptions> {
        let party = self.party.as_ref()?;
        let usable = passkeys.iter().filter(|passkey| self.can_use(passkey));
        let allow: Vec<_> = usable.map(CredentialDescriptor::from).collect();
        let challenge = (!allow.is_empty()).then(|| self.challenges.issue(purpose, Some(user_id)))?;
        Some(RequestOptions { challenge, rp_id: party.id.clone(), allow, user_verification })
    }

    /// Returns options to sign in. They are the same for everyone, but for the challenge. The user's
    /// verification is required, because a sign-in without it is refused unless another factor follows.
    ///
    /// # Errors
    /// Returns [`PasskeysOff`] if passkeys are off.
    pub fn log_in_options(&self) -> Result<RequestOptions, PasskeysOff> {
        let rp_id = self.party()?.id.clone();
        let challenge = self.challenges.issue(PasskeyPurpose::LogIn, None);
        Ok(RequestOptions { challenge, rp_id, allow: Vec::new(), user_verification: true })
    }

    /// Verifies the JSON of a signature by a passkey of an account, or of any account. Uses nothing up.
    pub(crate) fn verify(
        &self,
        credential: &str,
        (purpose, account): (PasskeyPurpose, Option<UserId>),
        caller: &Caller,
        store: &dyn Store,
    ) -> Result<VerifiedPasskey, VerifyPasskeyError> {
        let refused = |fault, user_id| {
            report(fault, user_id, caller);
            VerifyPasskeyError::Refused(fault)
        };
        let party = self.party.as_ref().ok_or_else(|| refused(PasskeyFault::RpId, account))?;
        let assertion = self.verifier.assertion(credential).map_err(|error| {
            tracing::info!(target: LOG, %error, "Passkey response refused");
            refused(PasskeyFault::Malformed, account)
        })?;
        let found = store.read(|tx| {
            let passkey = tx.passkeys().find(&assertion.credential_id)?;
            let Some(passkey) = passkey.filter(|found| account.is_none_or(|account| account == found.user_id)) else {
                return Ok(None);
            };
            let handle = tx.passkeys().handle(passkey.user_id)?;
            Ok::<_, StoreError>(handle.map(|handle| (passkey, handle)))
        })?;
        let (passkey, handle) = found.ok_or_else(|| refused(PasskeyFault::Unknown, account))?;
        let judged = self.judge(party, &assertion, (&passkey, &handle), (purpose, account));
        let challenge = judged.map_err(|fault| refused(fault, Some(passkey.user_id)))?;
        let AuthenticatorData { counter, flags, .. } = assertion.authenticator_data;
        Ok(VerifiedPasskey { passkey, counter, flags, challenge })
    }

    /// Judges a signature. Only one by the passkey itself may report a counter that did not grow.
    fn judge(
        &self,
        party: &RelyingParty,
        assertion: &Assertion,
        (passkey, handle): (&Passkey, &UserHandle),
        (purpose, account): (PasskeyPurpose, Option<UserId>),
    ) -> Result<PasskeyChallenge, PasskeyFault> {
        let judged = party.judge_assertion(assertion, (passkey, handle), purpose);
        if judged == Err(PasskeyFault::Type) {
            return Err(PasskeyFault::Type);
        }
        let challenge = self.challenges.check(&assertion.client_data.challenge, purpose, account)?;
        if judged != Err(PasskeyFault::Counter) {
            judged?;
        }
        if !self.verifier.verify(&passkey.public_key, passkey.algorithm, assertion) {
            return Err(PasskeyFault::Signature);
        }
        judged.map(|()| challenge)
    }
}

impl VerifiedPasskey {
    /// Returns what the signature proves.
    pub(crate) const fn methods(&self) -> Methods {
        Passkey::methods(self.flags)
    }

    /// Uses up the challenge and records the use, in the transaction that the signature authorizes. Returns the
    /// fault if the challenge was used before, or the counter has not grown since.
    pub(crate) fn use_up(&self, at: DateTime<Utc>, tx: &mut dyn Tx) -> Result<Option<PasskeyFault>, StoreError> {
        let Self { passkey, counter, flags, challenge } = self;
        if !tx.passkeys().use_challenge(&challenge.digest(), challenge.expires_at())? {
            return Ok(Some(PasskeyFault::Challenge));
        }
        let is_recorded = tx.passkeys().record_use(&passkey.id, *counter, *flags, at)?;
        Ok((!is_recorded).then_some(PasskeyFault::Counter))
    }
}

/// Logs a refused response.
pub(crate) fn report(fault: PasskeyFault, user_id: Option<UserId>, caller: &Caller) {
    let (user_id, client) = (user_id.map(UserId::get), caller.client.ip_address.map(tracing::field::display));
    if fault == PasskeyFault::Counter {
        tracing::warn!(target: SECURITY_LOG, user_id, client, "The counter of a passkey did not grow: it may have been copied");
    } else {
        tracing::warn!(target: LOG, user_id, client, fault = fault.as_str(), "Passkey refused");
    }
}
