//! Makes one-time tokens from seeds, and what is kept of them. Keeping it is left to the verbs.

use chrono::{DateTime, Utc};
use portcullis_domain::registration::{EmailAddress, PasswordHash, User};
use portcullis_domain::verification::{
    OneTimeToken, OneTimeTokenRecord, PasswordVersion, Purpose, TokenDigest, TokenSeed,
};
use portcullis_ports::{Entropy, EntropyExt, MacSigner};
use std::sync::Arc;

/// What makes one-time tokens.
pub struct OneTimeTokens {
    /// What derives them, under a key that is used for nothing else.
    pub authenticator: Arc<dyn MacSigner>,
    /// Where their seeds come from.
    pub entropy: Arc<dyn Entropy>,
}

impl OneTimeTokens {
    /// A seed that nobody has seen.
    #[must_use]
    pub fn seed(&self) -> TokenSeed {
        TokenSeed::from_random(self.entropy.array())
    }

    /// The token of a seed: the same whenever it is asked for.
    #[must_use]
    pub fn token(&self, seed: &TokenSeed) -> OneTimeToken {
        OneTimeToken::new(self.authenticator.sign(&seed.mac_input()))
    }

    /// By what a token is found.
    #[must_use]
    pub fn digest(&self, token: &OneTimeToken) -> TokenDigest {
        TokenDigest::new(self.authenticator.sign(&token.mac_input()))
    }

    /// Which password a hash is of.
    #[must_use]
    pub fn version(&self, hash: &PasswordHash) -> PasswordVersion {
        PasswordVersion::new(self.authenticator.sign(&PasswordVersion::mac_input(hash)))
    }

    /// What is kept of a token that is made at `at` for an account as it is then.
    #[must_use]
    pub fn record(
        &self,
        token: &OneTimeToken,
        purpose: Purpose,
        (user, email): (&User, &EmailAddress),
        at: DateTime<Utc>,
    ) -> OneTimeTokenRecord {
        let expires_at = at.checked_add_signed(purpose.lifetime()).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let (digest, password) = (self.digest(token), self.version(&user.password));
        OneTimeTokenRecord { digest, purpose, user_id: user.id, email: email.clone(), password, expires_at }
    }

    /// What tells the mail of a seed from every other.
    #[must_use]
    pub fn mail_id(&self, seed: &TokenSeed) -> String {
        let code = self.authenticator.sign(&[b"message-id/".as_slice(), seed.as_bytes()].concat());
        code.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}
