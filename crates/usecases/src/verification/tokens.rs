//! Derives one-time tokens from seeds and creates their records. The use cases store the records.

use chrono::{DateTime, Utc};
use portcullis_domain::login::Owner;
use portcullis_domain::registration::{EmailAddress, PasswordHash};
use portcullis_domain::verification::{
    OneTimeToken, OneTimeTokenRecord, PasswordVersion, Purpose, TokenDigest, TokenSeed,
};
use portcullis_ports::{Entropy, EntropyExt, MacSigner, signers};
use std::sync::Arc;

/// Factory of one-time tokens.
pub struct OneTimeTokens {
    /// Signer that derives the tokens, with a key used for nothing else.
    pub authenticator: Arc<dyn MacSigner>,
    /// Random bytes for the seeds.
    pub entropy: Arc<dyn Entropy>,
}

impl OneTimeTokens {
    /// Creates a random seed.
    #[must_use]
    pub fn seed(&self) -> TokenSeed {
        TokenSeed::from_random(self.entropy.array())
    }

    /// Returns the token of a seed. The same seed always gives the same token.
    #[must_use]
    pub fn token(&self, seed: &TokenSeed) -> OneTimeToken {
        OneTimeToken::new(self.authenticator.sign(&seed.mac_input()))
    }

    /// Returns the tokens of a seed with their digests: that of the current key, and those of previous keys
    /// that an email may contain already.
    pub(crate) fn issued(&self, seed: &TokenSeed) -> impl Iterator<Item = (OneTimeToken, TokenDigest)> {
        let input = seed.mac_input();
        signers(&*self.authenticator).map(move |signer| {
            let token = OneTimeToken::new(signer.sign(&input));
            let digest = digest(signer, &token);
            (token, digest)
        })
    }

    /// Returns the digest that is stored in place of a token.
    #[must_use]
    pub fn digest(&self, token: &OneTimeToken) -> TokenDigest {
        digest(&*self.authenticator, token)
    }

    /// Returns the digests of a token by the current key and by each previous one. Any of them may be stored.
    pub(crate) fn digests(&self, token: &OneTimeToken) -> impl Iterator<Item = TokenDigest> {
        signers(&*self.authenticator).map(|signer| digest(signer, token))
    }

    /// Returns the version of a password hash: a MAC that tokens are bound to.
    #[must_use]
    pub fn version(&self, hash: &PasswordHash) -> PasswordVersion {
        version(&*self.authenticator, hash)
    }

    /// Returns the versions of a password hash under the current key and previous ones.
    pub(crate) fn versions(&self, hash: &PasswordHash) -> impl Iterator<Item = PasswordVersion> {
        signers(&*self.authenticator).map(|signer| version(signer, hash))
    }

    /// Creates the record of a token that is issued at `at`, bound to the account's current password.
    #[must_use]
    pub fn record(
        &self,
        token: &OneTimeToken,
        purpose: Purpose,
        (owner, email): (&Owner, &EmailAddress),
        at: DateTime<Utc>,
    ) -> OneTimeTokenRecord {
        let expires_at = at.checked_add_signed(purpose.lifetime()).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let (digest, password) = (self.digest(token), self.version(owner.credentials.hash()));
        OneTimeTokenRecord { digest, purpose, user_id: owner.user.id, email: email.clone(), password, expires_at }
    }

    /// Returns the unique id of the email that has this seed.
    #[must_use]
    pub fn mail_id(&self, seed: &TokenSeed) -> String {
        let code = self.authenticator.sign(&[b"message-id/".as_slice(), seed.as_bytes()].concat());
        hex::encode(code.first_chunk::<16>().copied().unwrap_or_default())
    }
}

fn digest(signer: &dyn MacSigner, token: &OneTimeToken) -> TokenDigest {
    TokenDigest::new(signer.sign(&token.mac_input()))
}

fn version(signer: &dyn MacSigner, hash: &PasswordHash) -> PasswordVersion {
    PasswordVersion::new(signer.sign(&PasswordVersion::mac_input(hash)))
}
