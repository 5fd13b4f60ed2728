//! Exchanges a refresh token for a new pair, once.

use super::{Issuance, TokenError, TokenPair};
use crate::LOG;
use chrono::{DateTime, Utc};
use portcullis_domain::sessions::SessionState;
use portcullis_domain::tokens::{Presentation, RefreshClaims, RefreshPolicy, Spending, Verdict};
use portcullis_ports::{Clock, FoundToken, Store, StoreExt, TokenVerifier, Tx};
use std::sync::Arc;

/// The token that is shown.
pub struct RefreshExchange {
    /// The signed refresh token.
    pub refresh_token: String,
}

/// The pair it was exchanged for.
#[derive(Debug)]
pub struct Refreshed(pub TokenPair);

/// The verb.
pub struct Refresh {
    /// Where tokens are kept.
    pub store: Arc<dyn Store>,
    /// What reads the token.
    pub verifier: Arc<dyn TokenVerifier>,
    /// What makes the new pair.
    pub issuance: Arc<Issuance>,
    /// How much doubt a spent token gets.
    pub policy: RefreshPolicy,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Refresh {
    /// Exchanges the token. The old one is spent and the new one stored in one transaction; of
    /// any number of callers with one token, exactly one succeeds.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn run(&self, input: &RefreshExchange) -> Result<Refreshed, TokenError> {
        let now = self.clock.now();
        let shown = self.verifier.verify(&input.refresh_token, now)?.into_refresh(now)?;
        // Signed before anything is spent: a signer that fails costs nobody a session.
        let (successor, pair) = self.issuance.succeed(shown.jti, shown.user_id, now)?;
        let spending = Spending { at: now, key: None, successor: successor.jti };
        self.store.write(|tx| {
            self.judge(&shown, now, tx)?;
            if !tx.refresh_tokens().spend(shown.jti, &spending)? {
                return Err(TokenError::Revoked);
            }
            Ok(tx.refresh_tokens().insert(&successor)?)
        })?;
        tracing::info!(target: LOG, user_id = shown.user_id.get(), "Token refreshed");
        Ok(Refreshed(pair))
    }

    fn judge(&self, shown: &RefreshClaims, now: DateTime<Utc>, tx: &mut dyn Tx) -> Result<(), TokenError> {
        let found = tx.refresh_tokens().find(shown.jti)?.ok_or(TokenError::Invalid)?;
        if found.token.user_id != shown.user_id {
            return Err(TokenError::Invalid);
        }
        let verdict = self.policy.judge(&found.token, &presentation(&found, now));
        match verdict {
            Verdict::Rotated => return Ok(()),
            Verdict::Expired => return Err(TokenError::Expired),
            _ => {}
        }
        let verdict = verdict.as_str();
        tracing::warn!(target: LOG, user_id = shown.user_id.get(), verdict, "Refresh refused");
        Err(TokenError::Revoked)
    }
}

/// A session is no more than its account here: it lives while the account is active.
fn presentation(found: &FoundToken, now: DateTime<Utc>) -> Presentation {
    let session = if found.account_active { SessionState::Active } else { SessionState::Ended };
    Presentation { now, key: None, session, successor_unspent: found.successor_live }
}
