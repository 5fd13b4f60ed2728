//! Exchanges a refresh token for a new pair, once. The write is a separate step, so that concurrent
//! exchanges can be batched.

use super::{TokenError, TokenFactory, TokenPair};
use crate::caller::Caller;
use crate::mail::Outbox;
use portcullis_domain::mail::Language;
use portcullis_domain::sessions::{SessionId, SessionPolicy};
use portcullis_domain::tokens::{CarriedClaims, IdempotencyKeyDigest, Jti, RefreshPolicy, Verdict};
use portcullis_ports::{Clock, RefreshObserver, Rotation, Store, StoreError, TokenVerifier};
use std::sync::Arc;

/// Input of a refresh.
pub struct RefreshExchange {
    /// The signed refresh token.
    pub refresh_token: String,
    /// Digest of the `Idempotency-Key` header or of the device, if any.
    pub key: Option<IdempotencyKeyDigest>,
    /// `true` if the key is [the device's](crate::limits::DeviceCookies::exchange_key): then any spent token of the
    /// device gets the newest pair.
    pub by_device: bool,
}

/// Result of a refresh.
#[derive(Debug)]
pub struct Refreshed {
    /// The new pair, or the pair of the earlier exchange.
    pub pair: TokenPair,
    /// Verdict on the presented token.
    pub verdict: Verdict,
}

/// A genuine token and the pair prepared for it. Nothing is spent yet.
#[derive(Debug)]
pub struct RefreshAttempt {
    pub(super) rotation: Rotation,
    pub(super) carried: CarriedClaims,
    pub(super) pair: TokenPair,
    pub(super) language: Language,
    /// `true` if the key is the device's.
    pub(super) by_device: bool,
}

/// Ids of a genuine token and its session.
#[derive(Debug, Clone, Copy)]
pub struct PresentedToken {
    token: Jti,
    session: SessionId,
}

/// Request to the store to exchange the token of a [`RefreshAttempt`].
#[derive(Debug, Clone)]
pub struct RotationRequest(Rotation);

/// Response of the store to a [`RotationRequest`].
#[derive(Debug)]
pub struct RotationResult(Result<bool, StoreError>);

/// State of an attempt after the store's response.
#[derive(Debug)]
pub enum SettleOutcome {
    /// The attempt has its final result.
    Done(Result<Refreshed, TokenError>),
    /// The token was not exchanged. [`Refresh::judge`] finds out why.
    NeedsJudgement(Box<RefreshAttempt>),
}

/// Exchanges a refresh token for a new pair.
pub struct Refresh {
    /// Store of tokens.
    pub store: Arc<dyn Store>,
    /// Verifier of refresh tokens.
    pub verifier: Arc<dyn TokenVerifier>,
    /// Factory of the new pair.
    pub issuance: Arc<TokenFactory>,
    /// Overlap and grace of spent tokens.
    pub policy: RefreshPolicy,
    /// Maximum age of sessions.
    pub sessions: SessionPolicy,
    /// Outbox for theft notices.
    pub outbox: Arc<Outbox>,
    /// Observer of verdicts, such as metrics.
    pub observer: Arc<dyn RefreshObserver>,
    /// `true` to refuse accounts with an unverified email, as at login.
    pub require_verified_email: bool,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl RefreshAttempt {
    /// Returns the request to the store.
    #[must_use]
    pub fn exchange(&self) -> RotationRequest {
        RotationRequest(self.rotation.clone())
    }

    /// Returns the presented token.
    #[must_use]
    pub fn presented(&self) -> PresentedToken {
        PresentedToken { token: self.rotation.spent, session: self.rotation.successor.session_id_or_legacy() }
    }
}

impl PresentedToken {
    /// Returns the session of the token.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Returns the keys that count failed refreshes with this token.
    #[must_use]
    pub fn limit_keys(&self) -> [String; 2] {
        [self.session.to_string(), self.token.to_string()]
    }

    /// Returns the key to count a failed refresh under, or `None` if a retry may succeed. An ended or
    /// expired session counts by session id. An unknown token counts by its own id, because its session
    /// may have a live token.
    #[must_use]
    pub fn failure_key(&self, error: &TokenError) -> Option<String> {
        match error {
            TokenError::Revoked | TokenError::Expired => Some(self.session.to_string()),
            TokenError::Invalid => Some(self.token.to_string()),
            TokenError::Raced | TokenError::EmailUnverified | TokenError::Failed(_) => None,
        }
    }
}

impl Refresh {
    /// Exchanges the token. One transaction spends it and stores its successor. Exactly one concurrent
    /// caller succeeds, apart from callers with the same `Idempotency-Key`.
    ///
    /// Combines [`prepare`](Self::prepare), [`exchange`](Self::exchange), [`settle`](Self::settle) and,
    /// if the token was not exchanged, [`judge`](Self::judge).
    pub fn run(&self, input: &RefreshExchange, caller: &Caller) -> Result<Refreshed, TokenError> {
        let attempt = self.prepare(input, caller)?;
        let rotated = self.store.rotate(std::slice::from_ref(&attempt.rotation));
        let exchanged = RotationResult(rotated.map(|rotated| rotated.first() == Some(&true)));
        match self.settle(attempt, exchanged) {
            SettleOutcome::Done(outcome) => outcome,
            SettleOutcome::NeedsJudgement(attempt) => self.judge(*attempt),
        }
    }

    /// Verifies the token and signs the new pair. Does not query the store and never blocks.
    pub fn prepare(&self, input: &RefreshExchange, caller: &Caller) -> Result<RefreshAttempt, TokenError> {
        let now = self.clock.now();
        let presented = self.verifier.verify(&input.refresh_token, now)?.into_refresh(now)?;
        // Sign before the token is spent: a failed signer must not cost the client its session.
        let (owner, carried) = ((presented.user_id, presented.session_id_or_legacy()), presented.carried);
        let (successor, pair) = self.issuance.issue_next(presented.jti, owner, carried, now)?;
        let (key, by_device) = (input.key, input.by_device);
        let (client, session_cutoff) = (caller.client.clone(), self.sessions.max_age_cutoff(now));
        let (spent, verified_only) = (presented.jti, self.require_verified_email);
        let rotation = Rotation { spent, at: now, key, session_cutoff, verified_only, client, successor };
        Ok(RefreshAttempt { rotation, carried, pair, language: caller.language, by_device })
    }

    /// Exchanges all tokens with one store call. Results are in the order of `exchanges`.
    #[must_use]
    pub fn exchange(&self, exchanges: Vec<RotationRequest>) -> Vec<RotationResult> {
        let rotations: Vec<_> = exchanges.into_iter().map(|exchange| exchange.0).collect();
        let rotated = self.store.rotate(&rotations).and_then(|rotated| {
            let all = rotated.len() == rotations.len();
            all.then_some(rotated).ok_or_else(|| StoreError::Failed("the store answered for others".to_owned()))
        });
        match rotated {
            Ok(rotated) => rotated.into_iter().map(|rotated| RotationResult(Ok(rotated))).collect(),
            Err(error) => rotations.iter().map(|_| RotationResult(Err(error.clone()))).collect(),
        }
    }

    /// Completes an attempt if its token was exchanged or the store is unavailable. Otherwise returns
    /// [`SettleOutcome::NeedsJudgement`]. Does not query the store.
    #[must_use]
    pub fn settle(&self, attempt: RefreshAttempt, exchanged: RotationResult) -> SettleOutcome {
        match exchanged.0 {
            Ok(true) => {
                self.record_verdict(
                    Verdict::Rotated,
                    &attempt.rotation,
                    attempt.rotation.successor.session_id_or_legacy(),
                );
                SettleOutcome::Done(Ok(Refreshed { pair: attempt.pair, verdict: Verdict::Rotated }))
            }
            // Another attempt's corrupt row may be the reason, so each is judged alone.
            Ok(false) | Err(StoreError::Corrupt { .. } | StoreError::Failed(_)) => {
                SettleOutcome::NeedsJudgement(Box::new(attempt))
            }
            Err(gone) => SettleOutcome::Done(Err(gone.into())),
        }
    }
}
