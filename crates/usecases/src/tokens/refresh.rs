//! Exchanges a refresh token for a new pair, once. What needs the store is one step of its own,
//! so that exchanges that come at one time can be carried out together.

use super::{TokenError, TokenFactory, TokenPair};
use crate::mail::Outbox;
use portcullis_domain::mail::Language;
use portcullis_domain::sessions::{ClientInfo, SessionId, SessionPolicy};
use portcullis_domain::tokens::{IdempotencyKeyDigest, Jti, RefreshPolicy, Verdict};
use portcullis_ports::{Clock, RefreshObserver, Rotation, Store, StoreError, TokenVerifier};
use std::sync::Arc;

/// The token that is shown.
pub struct RefreshExchange {
    /// The signed refresh token.
    pub refresh_token: String,
    /// The digest of the `Idempotency-Key` that it is shown with, if any.
    pub key: Option<IdempotencyKeyDigest>,
    /// From where.
    pub client: ClientInfo,
    /// In which language the owner is told, should it be a theft.
    pub language: Language,
}

/// The pair it was exchanged for.
#[derive(Debug)]
pub struct Refreshed {
    /// The pair.
    pub pair: TokenPair,
    /// What the token was worth.
    pub verdict: Verdict,
}

/// A token that is genuine, and the pair that it may be exchanged for. Nothing is spent yet.
#[derive(Debug)]
pub struct RefreshAttempt {
    pub(super) rotation: Rotation,
    pub(super) pair: TokenPair,
    pub(super) language: Language,
}

/// A genuine token, and the session that it is of.
#[derive(Debug, Clone, Copy)]
pub struct PresentedToken {
    token: Jti,
    session: SessionId,
}

/// What the store is asked to do for an [`RefreshAttempt`].
#[derive(Debug, Clone)]
pub struct RotationRequest(Rotation);

/// What became of an [`RotationRequest`].
#[derive(Debug)]
pub struct RotationResult(Result<bool, StoreError>);

/// Where an attempt stands after the store was asked.
#[derive(Debug)]
pub enum SettleOutcome {
    /// At its end.
    Done(Result<Refreshed, TokenError>),
    /// It was not exchanged, and why is still to be found out: for [`Refresh::judge`].
    NeedsJudgement(Box<RefreshAttempt>),
}

/// The verb.
pub struct Refresh {
    /// Where tokens are kept.
    pub store: Arc<dyn Store>,
    /// What reads the token.
    pub verifier: Arc<dyn TokenVerifier>,
    /// What makes the new pair.
    pub issuance: Arc<TokenFactory>,
    /// How much doubt a spent token gets.
    pub policy: RefreshPolicy,
    /// How long sessions last.
    pub sessions: SessionPolicy,
    /// Who tells the owner of a theft.
    pub outbox: Arc<Outbox>,
    /// Who is told of verdicts, beside the log.
    pub observer: Arc<dyn RefreshObserver>,
    /// Whether the account's address must be verified, as for a login.
    pub require_verified_email: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl RefreshAttempt {
    /// What the store is to be asked.
    #[must_use]
    pub fn exchange(&self) -> RotationRequest {
        RotationRequest(self.rotation.clone())
    }

    /// The token that was shown.
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

    /// The names under which refreshes with it may have been counted that could not succeed.
    #[must_use]
    pub fn limit_keys(&self) -> [String; 2] {
        [self.session.to_string(), self.token.to_string()]
    }

    /// Under which of them one that was judged is to be counted, if none can ever succeed again. Of
    /// a session that is over no token is of use. One that nobody knows says nothing of its
    /// session, which may have a live one.
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
    /// Exchanges the token. The old one is spent and the new one stored in one transaction; of
    /// any number of callers with one token, exactly one succeeds, unless they show the key that
    /// it succeeded with.
    ///
    /// The same as [`prepare`](Self::prepare), [`exchange`](Self::exchange),
    /// [`checkpoint_on_shutdown`](Self::checkpoint_on_shutdown) and, where there is doubt, [`judge`](Self::judge).
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn run(&self, input: RefreshExchange) -> Result<Refreshed, TokenError> {
        let attempt = self.prepare(input)?;
        let rotated = self.store.rotate(std::slice::from_ref(&attempt.rotation));
        let exchanged = RotationResult(rotated.map(|rotated| rotated.first() == Some(&true)));
        match self.settle(attempt, exchanged) {
            SettleOutcome::Done(outcome) => outcome,
            SettleOutcome::NeedsJudgement(attempt) => self.judge(*attempt),
        }
    }

    /// Verifies the token and signs the new pair. Asks no store and never waits.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn prepare(&self, input: RefreshExchange) -> Result<RefreshAttempt, TokenError> {
        let now = self.clock.now();
        let presented = self.verifier.verify(&input.refresh_token, now)?.into_refresh(now)?;
        // Signed before anything is spent: a signer that fails costs nobody a session.
        let (successor, pair) =
            self.issuance.issue_next(presented.jti, presented.user_id, presented.session_id_or_legacy(), now)?;
        let (key, client, session_cutoff) = (input.key, input.client, self.sessions.max_age_cutoff(now));
        let (spent, verified_only) = (presented.jti, self.require_verified_email);
        let rotation =
            Rotation { spent, at: now, key, session_cutoff: session_cutoff, verified_only, client, successor };
        Ok(RefreshAttempt { rotation, pair, language: input.language })
    }

    /// Asks the store, once for all; what became of each, in their order.
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

    /// Ends an attempt that was exchanged, or whose store is not there. Asks no store.
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
            // Another's damaged row may be the reason: each is looked at alone.
            Ok(false) | Err(StoreError::Corrupt { .. } | StoreError::Failed(_)) => {
                SettleOutcome::NeedsJudgement(Box::new(attempt))
            }
            Err(gone) => SettleOutcome::Done(Err(gone.into())),
        }
    }
}
