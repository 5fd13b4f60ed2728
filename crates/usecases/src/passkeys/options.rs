//! Options that browsers get (WebAuthn §5.4, §5.5), without their JSON.

use portcullis_domain::passkeys::{CredentialId, Passkey, PasskeyChallenge, UserHandle};
use portcullis_domain::registration::EmailAddress;

/// Passkey that a browser may or must not use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialDescriptor {
    /// Id that the authenticator chose.
    pub id: CredentialId,
    /// How browsers reach the authenticator.
    pub transports: Vec<String>,
}

impl From<&Passkey> for CredentialDescriptor {
    fn from(passkey: &Passkey) -> Self {
        Self { id: passkey.credential_id.clone(), transports: passkey.transports.clone() }
    }
}

/// Options to create a passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreationOptions {
    /// Challenge, for this account.
    pub challenge: PasskeyChallenge,
    /// RP ID.
    pub rp_id: String,
    /// Id of the account towards authenticators.
    pub user_handle: UserHandle,
    /// Email address of the account.
    pub email: EmailAddress,
    /// Passkeys that the account has.
    pub exclude: Vec<CredentialDescriptor>,
    /// `true` if the passkey is only to be a second factor: it needs neither be discoverable nor verify the
    /// user.
    pub second_factor: bool,
}

/// Options to sign with a passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestOptions {
    /// Challenge.
    pub challenge: PasskeyChallenge,
    /// RP ID.
    pub rp_id: String,
    /// Passkeys that are accepted; empty for any discoverable one.
    pub allow: Vec<CredentialDescriptor>,
    /// `true` to require the user's verification, `false` to do without.
    pub user_verification: bool,
}
