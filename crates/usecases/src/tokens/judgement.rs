//! Judges refresh tokens that [`Refresh::exchange`] did not exchange. The domain decides the verdict;
//! this module executes it in the same transaction that read the token.

use super::{Refresh, RefreshAttempt, Refreshed, TokenError, TokenPair};
use crate::mail::MailCause;
use crate::{LOG, SECURITY_LOG};
use portcullis_domain::mail::Occasion;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{EndReason, Session, SessionEnd, SessionEvent, SessionId};
use portcullis_domain::tokens::{Jti, RefreshContext, RefreshState, RefreshToken, Verdict};
use portcullis_ports::{FoundToken, Rotation, StoreError, StoreExt, Tx};

/// Maximum number of attempts if concurrent exchanges change the token between read and exchange. The
/// first such exchange spends it.
const MAX_ATTEMPTS: usize = 3;

/// Maximum number of exchanges between a spent token and the newest one of its device. A token spent longer
/// ago counts like one of another device.
const MAX_OVERTAKEN: usize = 1_000;

/// A verdict that was executed.
struct Judged {
    verdict: Verdict,
    session: SessionId,
    /// Token whose exchange made `successor`.
    spent: Jti,
    /// New pair, if the token was exchanged but the prepared pair names another session.
    pair: Option<TokenPair>,
    /// Live successor from an earlier exchange, if there is one.
    successor: Option<RefreshToken>,
}

impl Refresh {
    /// Determines the verdict of the token, and exchanges it if that is possible after all.
    pub fn judge(&self, attempt: RefreshAttempt) -> Result<Refreshed, TokenError> {
        let hint = self.overtaken(&attempt)?;
        let judged = self.store.write(|tx| self.judge_in_tx(&attempt, hint, tx))?;
        let RefreshAttempt { rotation, carried, pair, .. } = attempt;
        let verdict = judged.verdict;
        self.record_verdict(verdict, &rotation, judged.session);
        if verdict == Verdict::Theft {
            self.outbox.notify_worker();
        }
        match (verdict, judged.successor) {
            (Verdict::Rotated, _) => Ok(Refreshed { pair: judged.pair.unwrap_or(pair), verdict }),
            (Verdict::Retried(_) | Verdict::Overlapped(_), Some(successor)) => {
                Ok(Refreshed { pair: self.issuance.reissue(judged.spent, &successor, carried, rotation.at)?, verdict })
            }
            (Verdict::Expired, _) => Err(TokenError::Expired),
            (Verdict::Raced, _) => Err(TokenError::Raced),
            _ => Err(TokenError::Revoked),
        }
    }

    /// Returns the last spent token of a device, found by a reader: the line may be long, and the writer must not
    /// wait for it. What was spent stays spent, so the writer goes on from there.
    fn overtaken(&self, attempt: &RefreshAttempt) -> Result<Option<Jti>, StoreError> {
        if !attempt.by_device {
            return Ok(None);
        }
        self.store.read(|tx| {
            let Some(found) = tx.refresh_tokens().find(attempt.rotation.spent)? else { return Ok(None) };
            Ok(newest(attempt, found, tx)?.map(|(spent, _)| spent))
        })
    }

    fn judge_in_tx(&self, attempt: &RefreshAttempt, hint: Option<Jti>, tx: &mut dyn Tx) -> Result<Judged, TokenError> {
        let rotation = &attempt.rotation;
        for _ in 0..MAX_ATTEMPTS {
            let found = tx.refresh_tokens().find(rotation.spent)?.ok_or(TokenError::Invalid)?;
            if found.token.user_id != rotation.successor.user_id {
                return Err(TokenError::Invalid);
            }
            let session = found.token.session_id_or_legacy();
            let from = match hint {
                Some(hint) => tx.refresh_tokens().find(hint)?,
                None => None,
            };
            let newest = newest(attempt, from.unwrap_or_else(|| found.clone()), tx)?;
            let context =
                RefreshContext { newest: newest.as_ref().map(|(_, live)| live.jti), ..self.context(&found, rotation) };
            let verdict = self.policy.judge(&found.token, &context);
            if is_unverified(verdict, &found, rotation) {
                return Err(TokenError::EmailUnverified);
            }
            match verdict {
                Verdict::Rotated => {
                    let pair = self.pair_of(attempt, session)?;
                    if rotate(rotation, &found, tx)? {
                        let verdict = Verdict::Rotated;
                        return Ok(Judged { verdict, session, spent: rotation.spent, pair, successor: None });
                    }
                }
                verdict => {
                    let verdict = self.execute(verdict, attempt, &found, tx)?;
                    let (spent, successor) = match newest {
                        Some((spent, live)) => (spent, Some(live)),
                        None => (rotation.spent, found.live_successor),
                    };
                    return Ok(Judged { verdict, session, spent, pair: None, successor });
                }
            }
        }
        Err(StoreError::Busy("the token changed whenever it was looked at".to_owned()).into())
    }

    /// Logs and counts a final verdict. Every verdict passes here, once.
    pub(super) fn record_verdict(&self, verdict: Verdict, rotation: &Rotation, session: SessionId) {
        self.observer.on_verdict(verdict);
        log_verdict(verdict, rotation, session);
    }

    /// Returns a new pair if the prepared one names another session than the row does.
    fn pair_of(&self, attempt: &RefreshAttempt, session: SessionId) -> Result<Option<TokenPair>, TokenError> {
        let RefreshAttempt { rotation, carried, .. } = attempt;
        if rotation.successor.session_id_or_legacy() == session {
            return Ok(None);
        }
        let successor = rotation.successor.clone().with_session(session);
        Ok(Some(self.issuance.reissue(rotation.spent, &successor, *carried, rotation.at)?))
    }

    /// Returns the context of the refresh.
    fn context(&self, found: &FoundToken, rotation: &Rotation) -> RefreshContext {
        let session = found.session.as_ref().map(|session| self.sessions.token_session(session, rotation.at));
        let (account_active, successor_unspent) = (found.account_active, found.live_successor.is_some());
        let (now, key, spent_age) = (rotation.at, rotation.key, found.spent_age);
        RefreshContext { now, key, account_active, session, successor_unspent, newest: None, spent_age }
    }

    /// Executes the verdict on a token that is not exchanged. Returns the final verdict.
    fn execute(
        &self,
        verdict: Verdict,
        attempt: &RefreshAttempt,
        found: &FoundToken,
        tx: &mut dyn Tx,
    ) -> Result<Verdict, StoreError> {
        let (at, client) = (attempt.rotation.at, attempt.rotation.client.clone());
        let session_end = SessionEnd { at, reason: EndReason::Theft, client: client.clone() };
        let Some(session) = &found.session else {
            // Spent by a release without sessions, so only the successor can be revoked.
            if let (Verdict::Theft, Some(successor)) = (verdict, &found.live_successor) {
                tx.sessions().lock_account(successor.user_id)?;
                tx.refresh_tokens().revoke(successor.jti, at)?;
                tx.sessions().end(successor.session_id_or_legacy(), &session_end)?;
                self.notify_owner(successor.user_id, attempt, tx)?;
            }
            return Ok(verdict);
        };
        if verdict == Verdict::Theft {
            tx.sessions().lock_account(session.user_id)?;
            if tx.sessions().end(session.id, &session_end)? {
                self.notify_owner(session.user_id, attempt, tx)?;
                return Ok(verdict);
            }
        }
        // Another transaction may have ended the session since it was read.
        let verdict = if verdict == Verdict::Theft { Verdict::Ended } else { verdict };
        tx.sessions().record(session.id, &SessionEvent { at, kind: verdict.into(), client })?;
        Ok(verdict)
    }

    /// Queues a theft notice to the owner in the transaction that ends the session.
    fn notify_owner(&self, user_id: UserId, attempt: &RefreshAttempt, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let RefreshAttempt { rotation, language, .. } = attempt;
        let Some(user) = tx.users().find(user_id)? else { return Ok(()) };
        let cause = MailCause { language: *language, client: &rotation.client, at: rotation.at };
        self.outbox.enqueue_notice(Occasion::SessionTheft, &user, &cause, tx)
    }
}

/// Returns the live token at the end of the token family, and the token that was exchanged for it, if a device
/// exchanged the presented token and all that followed. A response that arrives late may have put an old token
/// back into the browser's cookies.
fn newest(
    attempt: &RefreshAttempt,
    from: FoundToken,
    tx: &mut dyn Tx,
) -> Result<Option<(Jti, RefreshToken)>, StoreError> {
    let (Some(key), true) = (attempt.rotation.key, attempt.by_device) else { return Ok(None) };
    let mut overtaken = from;
    for _ in 0..MAX_OVERTAKEN {
        let successor = match &overtaken.token.state {
            RefreshState::Spent(spend_record) if spend_record.key == Some(key) => spend_record.successor,
            RefreshState::Spent(_) | RefreshState::Live | RefreshState::Revoked => return Ok(None),
        };
        if let Some(live) = overtaken.live_successor {
            return Ok(Some((overtaken.token.jti, live)));
        }
        let Some(next) = tx.refresh_tokens().find(successor)? else { return Ok(None) };
        overtaken = next;
    }
    Ok(None)
}

/// Returns whether the token would get a pair but its account's email is unverified. The token is not
/// spent, so the client can present it again after verification.
fn is_unverified(verdict: Verdict, found: &FoundToken, rotation: &Rotation) -> bool {
    let gives = matches!(verdict, Verdict::Rotated | Verdict::Retried(_) | Verdict::Overlapped(_));
    let refused = gives && rotation.verified_only && !found.account_verified;
    if refused {
        let user_id = found.token.user_id.get();
        tracing::warn!(target: LOG, user_id, "Refresh refused until the address is verified");
    }
    refused
}

/// Exchanges the token. Returns whether it was still unspent.
fn rotate(rotation: &Rotation, found: &FoundToken, tx: &mut dyn Tx) -> Result<bool, TokenError> {
    let (user_id, session) = (found.token.user_id, found.token.session_id_or_legacy());
    let begins = found.session.is_none();
    if begins {
        tx.sessions().lock_account(user_id)?;
        // The program that issued the token knows no second factors.
        if tx.credentials().owner(user_id)?.is_some_and(|owner| owner.credentials.has_second_factor()) {
            tracing::warn!(target: LOG, user_id = user_id.get(), "Token of a program without second factors refused");
            return Err(TokenError::Revoked);
        }
    }
    if !tx.refresh_tokens().spend(rotation.spent, &rotation.spend_record())? {
        return Ok(false);
    }
    if begins {
        tx.sessions().begin(&Session::begin(session, user_id, rotation.at), &rotation.client)?;
    }
    tx.refresh_tokens().insert(&rotation.successor.clone().with_session(session))?;
    tx.sessions().record(session, &rotation.event())?;
    Ok(true)
}

/// Logs the verdict.
fn log_verdict(verdict: Verdict, rotation: &Rotation, session: SessionId) {
    let (user_id, name) = (rotation.successor.user_id.get(), verdict.as_str());
    let client = rotation.client.ip_address.map(tracing::field::display);
    match verdict {
        Verdict::Rotated => tracing::info!(target: LOG, user_id, "Token refreshed"),
        Verdict::Retried(_) | Verdict::Overlapped(_) => {
            tracing::info!(target: LOG, user_id, verdict = name, "Token refreshed");
        }
        Verdict::Theft => tracing::warn!(
            target: SECURITY_LOG, user_id, session_id = %session, client, verdict = name,
            "A spent refresh token was presented again: its session is ended"
        ),
        Verdict::Raced | Verdict::Ended | Verdict::Expired => {
            tracing::warn!(target: LOG, user_id, verdict = name, "Refresh refused");
        }
    }
}
