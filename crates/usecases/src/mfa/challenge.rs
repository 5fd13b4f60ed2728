//! The token between two factors: it proves that its bearer presented the first one, and may begin one
//! session.

use super::{MfaError, MfaReason};
use crate::passkeys::RequestOptions;
use crate::tokens::{Authenticated, TokenError};
use crate::verification::OneTimeTokens;
use chrono::TimeDelta;
use portcullis_domain::login::Owner;
use portcullis_domain::tokens::{ChallengeClaims, ChallengePurpose};
use portcullis_ports::{Clock, Store, StoreError, StoreExt, TokenVerifier};
use std::fmt;
use std::sync::Arc;

/// A challenge that was issued. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The signed token.
    pub token: String,
    /// Lifetime of the token.
    pub expires_in: TimeDelta,
    /// What completes the login; nothing if the account must set up a second factor.
    pub factors: Factors,
}

/// Second factors that an account can present.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Factors {
    /// `true` if it has an authenticator app.
    pub totp: bool,
    /// Options to sign with one of its passkeys, if it has one.
    pub passkey: Option<RequestOptions>,
    /// `true` if it has recovery codes left.
    pub recovery_codes: bool,
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenge(…)")
    }
}

/// User who enrols an authenticator app.
#[derive(Debug, Clone)]
pub enum Enrollee {
    /// The user of a session.
    Session(Authenticated),
    /// The owner of an account that must have a second factor before it can log in.
    LogIn(ChallengeClaims),
}

/// Reads challenges, and finds their accounts.
pub struct Challenges {
    /// Store of accounts and sessions.
    pub store: Arc<dyn Store>,
    /// Verifier of the tokens.
    pub verifier: Arc<dyn TokenVerifier>,
    /// Versions of passwords.
    pub tokens: Arc<OneTimeTokens>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl Challenges {
    /// Verifies and decodes a token. Does not query the store and never blocks.
    ///
    /// # Errors
    /// Returns [`TokenError::Expired`] for an expired token, and [`TokenError::Invalid`] for one that is not a
    /// challenge of this purpose.
    pub fn read(&self, token: &str, purpose: ChallengePurpose) -> Result<ChallengeClaims, TokenError> {
        let now = self.clock.now();
        Ok(self.verifier.verify(token, now)?.into_challenge(purpose, now)?)
    }

    /// Returns the account of a challenge.
    ///
    /// # Errors
    /// Returns [`TokenError::Revoked`] if the challenge has begun a session or the account is inactive, and
    /// [`TokenError::Invalid`] if the password has changed or the account does not exist.
    pub(super) fn owner(&self, claims: &ChallengeClaims) -> Result<Owner, TokenError> {
        let (owner, begun): (Option<Owner>, bool) = self.store.read(|tx| {
            let begun = tx.sessions().find(claims.session_id)?.is_some();
            Ok::<_, StoreError>((tx.credentials().owner(claims.user_id)?, begun))
        })?;
        let owner = owner.ok_or(TokenError::Invalid)?;
        if begun || !owner.user.is_active {
            return Err(TokenError::Revoked);
        }
        let same_password = self.tokens.versions(owner.credentials.hash()).any(|version| version == claims.password);
        if same_password { Ok(owner) } else { Err(TokenError::Invalid) }
    }

    /// Returns the account of an enrolment.
    ///
    /// # Errors
    /// Returns [`MfaReason::Revoked`] if the account is inactive or does not exist. Also for a challenge that
    /// [`owner`](Self::owner) refuses, and once the account has a second factor.
    pub(super) fn enrolling(&self, enrollee: &Enrollee) -> Result<Owner, MfaError> {
        let owner = match enrollee {
            Enrollee::Session(caller) => self.store.read(|tx| tx.credentials().owner(caller.user.id))?,
            Enrollee::LogIn(claims) => match self.owner(claims) {
                Ok(owner) => Some(owner).filter(|owner| !owner.credentials.has_second_factor()),
                Err(TokenError::Failed(failure)) => return Err(failure.into()),
                Err(_) => None,
            },
        };
        owner.filter(|owner| owner.user.is_active).ok_or_else(|| MfaReason::Revoked.into())
    }
}
