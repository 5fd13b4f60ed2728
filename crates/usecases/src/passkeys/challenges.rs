//! Challenges that are authenticated rather than stored.

use portcullis_domain::passkeys::{PasskeyChallenge, PasskeyFault, PasskeyPurpose};
use portcullis_domain::registration::UserId;
use portcullis_domain::tokens::MAX_IAT_SKEW;
use portcullis_ports::{Clock, Entropy, EntropyExt, MacSigner, signers};
use std::sync::Arc;

/// Issues and checks challenges.
pub struct PasskeyChallenges {
    /// Signer of the challenges, with a key used for nothing else.
    pub signer: Arc<dyn MacSigner>,
    /// Random bytes for the challenges.
    pub entropy: Arc<dyn Entropy>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl PasskeyChallenges {
    /// Issues a challenge for one purpose, and for one account or none.
    #[must_use]
    pub fn issue(&self, purpose: PasskeyPurpose, account: Option<UserId>) -> PasskeyChallenge {
        let seconds = u32::try_from(self.clock.now().timestamp()).unwrap_or_default();
        let nonce = self.entropy.array();
        let mac = self.signer.sign(&PasskeyChallenge::mac_input(purpose, account, seconds, nonce));
        PasskeyChallenge::new(seconds, nonce, &mac)
    }

    /// Checks a challenge that a response holds. Whether it was used before is not known yet.
    ///
    /// # Errors
    /// Returns [`PasskeyFault::Challenge`] unless this service issued it for the purpose and the account, or if
    /// it is from the future, and [`PasskeyFault::ChallengeExpired`] if it is too old.
    pub fn check(
        &self,
        bytes: &[u8],
        purpose: PasskeyPurpose,
        account: Option<UserId>,
    ) -> Result<PasskeyChallenge, PasskeyFault> {
        let presented = PasskeyChallenge::from_bytes(bytes).ok_or(PasskeyFault::Challenge)?;
        let (seconds, nonce) = presented.claims();
        let input = PasskeyChallenge::mac_input(purpose, account, seconds, nonce);
        let is_issued_by = |signer: &dyn MacSigner| {
            // Compares digests: the time that this takes reveals nothing about the MAC.
            PasskeyChallenge::new(seconds, nonce, &signer.sign(&input)).digest() == presented.digest()
        };
        if !signers(&*self.signer).any(is_issued_by) {
            return Err(PasskeyFault::Challenge);
        }
        let (now, expires_at) = (self.clock.now(), presented.expires_at());
        if expires_at.signed_duration_since(now) > PasskeyChallenge::LIFETIME + MAX_IAT_SKEW {
            return Err(PasskeyFault::Challenge);
        }
        if now < expires_at { Ok(presented) } else { Err(PasskeyFault::ChallengeExpired) }
    }
}
