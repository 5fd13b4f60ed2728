//! Signs in with an ID token that a native app got from its provider.

use super::error::log_failure;
use super::provider::federated_entry;
use super::resolve::{NoAccount, ResolveAccount, SignedIn};
use super::{ProviderReason, Providers};
use crate::caller::Caller;
use crate::counted::Counted;
use crate::failure::{Reason, UseCaseError};
use crate::limits::{Admission, Attempt, LimitError, Limits};
use crate::login::{Gate, LogInReason, LoggedIn, MAX_ATTEMPTS, hash_contention};
use portcullis_domain::ErrorCode;
use portcullis_domain::providers::{ProviderName, SignInCodeDigest};
use portcullis_ports::{Clock, NativeSignIn as Verified, SignInObserver, Store, StoreExt, Tx};
use std::sync::Arc;

/// Input of the sign-in.
pub struct IdTokenSignIn {
    /// Name of the provider.
    pub provider: String,
    /// The ID token.
    pub id_token: String,
    /// Nonce of the app, if the token has one.
    pub nonce: Option<String>,
}

/// An ID token that is valid, and was not used yet as far as known.
pub struct VerifiedIdToken {
    provider: ProviderName,
    digest: SignInCodeDigest,
    verified: Verified,
}

/// Reason why no session began.
#[derive(Debug, thiserror::Error)]
pub enum IdTokenReason {
    /// The provider is unknown or unavailable, or the token is not valid.
    #[error(transparent)]
    Provider(#[from] ProviderReason),
    /// The person has no account.
    #[error(transparent)]
    NoAccount(#[from] NoAccount),
    /// The login was refused, or its second factor is due.
    #[error(transparent)]
    LogIn(#[from] LogInReason),
}

impl Reason for IdTokenReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Provider(reason) => reason.code(),
            Self::NoAccount(reason) => reason.code(),
            Self::LogIn(reason) => reason.code(),
        }
    }
}

/// Signs in with ID tokens of native apps.
pub struct NativeSignIn {
    /// Configured providers.
    pub providers: Arc<Providers>,
    /// Finds the account.
    pub accounts: Arc<ResolveAccount>,
    /// Store of used tokens.
    pub store: Arc<dyn Store>,
    /// Begins the session.
    pub gate: Arc<Gate>,
    /// Rate limits.
    pub limits: Arc<Limits>,
    /// Notified of each outcome.
    pub observer: Arc<dyn SignInObserver>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl NativeSignIn {
    /// Verifies an ID token. May call the provider, and does not use the store.
    ///
    /// # Errors
    /// Returns [`ProviderReason`].
    pub fn verify(&self, input: &IdTokenSignIn) -> Result<VerifiedIdToken, ProviderReason> {
        let provider = self.providers.find(&input.provider).ok_or(ProviderReason::Unknown)?;
        let verified = provider.protocol.verify_id_token(&input.id_token, input.nonce.as_deref(), self.clock.now());
        let verified = verified.map_err(|error| log_failure(&provider.name, &error));
        let verified = verified.inspect_err(|reason| self.observer.on_sign_in(provider.kind, Err((*reason).into())))?;
        let digest = SignInCodeDigest::of_id_token(&input.id_token);
        Ok(VerifiedIdToken { provider: provider.name.clone(), digest, verified })
    }
}

impl Counted for NativeSignIn {
    type Input = VerifiedIdToken;
    type Output = LoggedIn;
    type Reason = IdTokenReason;

    /// The source was charged before the token was verified.
    fn attempts(&self, _: &VerifiedIdToken, _: &Caller) -> Vec<Attempt> {
        Vec::new()
    }

    fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        self.limits.count(attempt)
    }

    /// Remembers the token, finds the account and begins a session.
    fn act(
        &self,
        input: &VerifiedIdToken,
        caller: &Caller,
        admission: &Admission,
    ) -> Result<LoggedIn, UseCaseError<IdTokenReason>> {
        let VerifiedIdToken { provider, digest, verified } = input;
        let provider =
            self.providers.find(provider.as_str()).ok_or(IdTokenReason::Provider(ProviderReason::Unknown))?;
        if !self.store.write(|tx| tx.sign_ins().use_id_token(digest, verified.usable_until))? {
            return Err(IdTokenReason::Provider(ProviderReason::Rejected).into());
        }
        let profile = &verified.profile;
        let signed_in = SignedIn { provider, profile, link_to: None, again: None, caller };
        let found = self.accounts.run(&signed_in, &mut |_, _| Ok(()));
        match &found {
            Ok(_) => self.observer.on_sign_in(provider.kind, Ok(())),
            Err(UseCaseError::Refused(NoAccount(reason))) => {
                self.observer.on_sign_in(provider.kind, Err((*reason).into()));
            }
            Err(_) => {}
        }
        let user_id = found.map_err(UseCaseError::convert)?;
        let multi_factor = provider.counts_factors(profile.multi_factor);
        let session_id = self.gate.beginning.issuance.new_session_id();
        for _ in 0..MAX_ATTEMPTS {
            let owner = self.store.read(|tx| tx.credentials().owner(user_id))?;
            let owner = &owner.ok_or(IdTokenReason::Provider(ProviderReason::Rejected))?;
            let entry = federated_entry(&self.gate, owner, (multi_factor, session_id), (caller, admission));
            // A verification or a reset may have removed the identity since.
            let mut uses = |tx: &mut dyn Tx| {
                let identity = tx.identities().find(&profile.key)?;
                Ok(identity.is_some_and(|identity| identity.user_id == user_id))
            };
            if let Some(logged_in) = self.gate.pass(&entry, &mut uses).map_err(UseCaseError::convert)? {
                return Ok(logged_in);
            }
        }
        Err(hash_contention().into())
    }
}
