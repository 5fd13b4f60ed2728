//! Stored passkeys, and what parses and verifies the responses of browsers.

use crate::store::StoreError;
use chrono::{DateTime, Utc};
use portcullis_domain::mfa::FactorName;
use portcullis_domain::passkeys::{
    Algorithm, Assertion, AuthenticatorFlags, ChallengeDigest, CredentialId, Passkey, PasskeyId, Registration,
    UserHandle,
};
use portcullis_domain::registration::UserId;

/// A response that cannot be parsed. The text is for the log and repeats nothing of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the credential cannot be parsed: {0}")]
pub struct MalformedCredential(pub &'static str);

/// Parses the responses of browsers and verifies their signatures. Judges nothing: see
/// [`RelyingParty`](portcullis_domain::passkeys::RelyingParty).
pub trait PasskeyVerifier: Send + Sync {
    /// Parses the JSON of a new credential (`RegistrationResponseJSON`, WebAuthn §5.1.8). The format of the
    /// attestation is ignored, because none is asked for.
    ///
    /// # Errors
    /// Returns [`MalformedCredential`].
    fn registration(&self, json: &str) -> Result<Registration, MalformedCredential>;

    /// Parses the JSON of a signature (`AuthenticationResponseJSON`, WebAuthn §5.1.8).
    ///
    /// # Errors
    /// Returns [`MalformedCredential`].
    fn assertion(&self, json: &str) -> Result<Assertion, MalformedCredential>;

    /// Returns whether the key made the signature. A key that cannot be parsed made none.
    fn verify(&self, public_key: &[u8], algorithm: Algorithm, assertion: &Assertion) -> bool;
}

/// Stores passkeys and used challenges. Every method returns [`StoreError`] if the store fails.
///
/// Before you add or remove passkeys, [lock the account](crate::SessionRepository::lock_account). If that
/// gives the account its first second factor or takes its last one, replace its credentials by
/// [marked](portcullis_domain::login::Credentials::marked) or unmarked ones in the same transaction.
pub trait PasskeyRepository {
    /// Returns the user handle of an account, or `None` if it has none yet.
    fn handle(&mut self, user_id: UserId) -> Result<Option<UserHandle>, StoreError>;

    /// Gives an account its user handle. Returns `false` if it has one, or does not exist: exactly one
    /// concurrent caller succeeds.
    fn set_handle(&mut self, user_id: UserId, handle: &UserHandle) -> Result<bool, StoreError>;

    /// Lists the passkeys of an account, oldest first.
    fn list(&mut self, user_id: UserId) -> Result<Vec<Passkey>, StoreError>;

    /// Returns the passkey with this credential id.
    fn find(&mut self, id: &CredentialId) -> Result<Option<Passkey>, StoreError>;

    /// Adds a passkey. Returns `false` if an account has its credential id: exactly one concurrent caller
    /// succeeds.
    fn insert(&mut self, passkey: &Passkey) -> Result<bool, StoreError>;

    /// Records a use if the stored counter is less than `counter`, or both are 0. Returns whether it was: of
    /// concurrent callers with the same counter, one succeeds unless it is 0.
    fn record_use(
        &mut self,
        id: &PasskeyId,
        counter: u32,
        flags: AuthenticatorFlags,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// Renames a passkey of an account. Returns whether it exists.
    fn rename(&mut self, user_id: UserId, id: &PasskeyId, name: &FactorName) -> Result<bool, StoreError>;

    /// Removes a passkey of an account. Returns it, or `None` if it is not the account's.
    fn remove(&mut self, user_id: UserId, id: &PasskeyId) -> Result<Option<Passkey>, StoreError>;

    /// Removes all passkeys of an account. Returns their number.
    fn remove_all(&mut self, user_id: UserId) -> Result<u32, StoreError>;

    /// Removes the passkeys of an account that are only second factors, or else all others. Returns their
    /// number. Also removes rows that cannot be read.
    fn remove_kind(&mut self, user_id: UserId, second_factor: bool) -> Result<u32, StoreError>;

    /// Uses up a challenge, and remembers it until `expires_at`. Returns `false` if it was used before:
    /// exactly one concurrent caller succeeds.
    fn use_challenge(&mut self, digest: &ChallengeDigest, expires_at: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Deletes up to `limit` used challenges that expired at or before `cutoff`. Returns their number.
    fn purge_challenges(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError>;
}
