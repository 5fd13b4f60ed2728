//! Identity providers, the identities linked to accounts, and sign-ins under way.

use crate::store::StoreError;
use chrono::{DateTime, Utc};
use portcullis_domain::providers::{
    Identity, IdentityId, IdentityKey, ProviderProfile, SignInCode, SignInCodeDigest, SignInFlow, StateDigest,
};
use portcullis_domain::registration::UserId;

/// One configured identity provider. Methods block for up to 5 s a call to the provider.
pub trait IdentityProvider: Send + Sync {
    /// Returns the URL that the browser is sent to (OpenID Connect Core 1.0 §3.1.2.1).
    ///
    /// # Errors
    /// Returns [`ProviderError::Unavailable`] if discovery fails and nothing usable is cached.
    fn authorization_url(&self, request: &AuthorizationRequest) -> Result<String, ProviderError>;

    /// Exchanges the code of a callback and returns who signed in (§3.1.3).
    ///
    /// # Errors
    /// Returns [`ProviderError`].
    fn redeem(&self, callback: &CodeCallback, now: DateTime<Utc>) -> Result<ProviderProfile, ProviderError>;

    /// Verifies an ID token that a native app brings.
    ///
    /// # Errors
    /// Returns [`ProviderError`]; every fault of the token is [`ProviderError::Rejected`].
    fn verify_id_token(
        &self,
        id_token: &str,
        nonce: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<NativeSignIn, ProviderError>;
}

/// Authorization request to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// Callback URL of this service.
    pub redirect_uri: String,
    /// State: 64 hex digits.
    pub state: String,
    /// Nonce: 64 hex digits.
    pub nonce: String,
    /// `code_challenge` of method S256, in base64url (RFC 7636).
    pub code_challenge: String,
    /// Email address that the person is likely to choose.
    pub login_hint: Option<String>,
    /// `prompt`, as the client sent it.
    pub prompt: Option<String>,
}

/// Callback of a provider, with what the flow remembers.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeCallback {
    /// Authorization code.
    pub code: String,
    /// `iss` of the response, if there is one (RFC 9207).
    pub issuer: Option<String>,
    /// Callback URL of this service.
    pub redirect_uri: String,
    /// Nonce of the request.
    pub nonce: String,
    /// `code_verifier` of the request.
    pub code_verifier: String,
}

/// An ID token of a native app that is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeSignIn {
    /// Who signed in.
    pub profile: ProviderProfile,
    /// Time from which the token is refused in any case, in UTC. Its use must be remembered until then.
    pub usable_until: DateTime<Utc>,
}

/// Reason why a provider's response is not used. The text is for the log and never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// No response, an error, or an oversized one.
    #[error("the provider is unavailable: {0}")]
    Unavailable(String),
    /// The response or token is not valid: signature, issuer, audience, nonce and so on.
    #[error("the provider's response is not valid: {0}")]
    Rejected(String),
}

/// Stores the identities linked to accounts. Every method returns [`StoreError`] if the store fails.
///
/// Before you add or remove identities, [lock the account](crate::SessionRepository::lock_account).
pub trait IdentityRepository {
    /// Returns the identity with this issuer and subject, compared byte for byte.
    fn find(&mut self, key: &IdentityKey) -> Result<Option<Identity>, StoreError>;

    /// Lists the identities of an account, oldest first.
    fn list(&mut self, user_id: UserId) -> Result<Vec<Identity>, StoreError>;

    /// Adds an identity. Returns `false` if its issuer and subject are linked already: exactly one concurrent
    /// caller succeeds.
    fn insert(&mut self, identity: &Identity) -> Result<bool, StoreError>;

    /// Records a sign-in, and the email address that the provider reports now.
    fn record_use(&mut self, id: &IdentityId, email: Option<&str>, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Removes an identity of an account. Returns it, or `None` if it is not the account's.
    fn remove(&mut self, user_id: UserId, id: &IdentityId) -> Result<Option<Identity>, StoreError>;

    /// Removes all identities of an account. Returns their number.
    fn remove_all(&mut self, user_id: UserId) -> Result<u32, StoreError>;
}

/// Stores sign-ins under way. Every method returns [`StoreError`] if the store fails.
pub trait SignInRepository {
    /// Adds a flow.
    fn insert_flow(&mut self, flow: &SignInFlow) -> Result<(), StoreError>;

    /// Returns a flow, expired and spent ones too.
    fn flow(&mut self, state: &StateDigest) -> Result<Option<SignInFlow>, StoreError>;

    /// Spends a flow. Returns whether it was unspent: exactly one concurrent caller succeeds.
    fn spend_flow(&mut self, state: &StateDigest, at: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Adds a code.
    fn insert_code(&mut self, code: &SignInCode) -> Result<(), StoreError>;

    /// Returns a code, expired and used ones too.
    fn code(&mut self, digest: &SignInCodeDigest) -> Result<Option<SignInCode>, StoreError>;

    /// Uses up a code. Returns whether it was unused: exactly one concurrent caller succeeds.
    fn use_code(&mut self, digest: &SignInCodeDigest, at: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Deletes the unused codes of an account. Returns their number.
    fn revoke_codes(&mut self, user_id: UserId) -> Result<u32, StoreError>;

    /// Remembers an ID token until `until`. Returns `false` if it was remembered already: exactly one
    /// concurrent caller succeeds.
    fn use_id_token(&mut self, digest: &SignInCodeDigest, until: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Deletes up to `limit` flows, codes and remembered ID tokens that expired at or before `cutoff`. Returns
    /// the number of deleted rows.
    fn purge_sign_ins(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError>;
}
