//! Confirms an authenticator app with its first code.

use super::second_factor::Match;
use super::step_up::lock_session;
use super::{Challenges, Enabled, Enrollee, FactorCode, MfaError, MfaReason, SecondFactor};
use crate::LOG;
use crate::caller::Caller;
use crate::failure::UseCaseError;
use crate::limits::Admission;
use crate::login::{Gate, LoggedIn};
use crate::sessions::Entry;
use crate::tokens::Authenticated;
use chrono::{DateTime, SubsecRound, Utc};
use portcullis_domain::limits::DeviceId;
use portcullis_domain::login::{Authentication, Method, Owner};
use portcullis_domain::mail::Occasion;
use portcullis_domain::mfa::{FactorId, RecoveryCode, TimeStep, TotpFactor};
use portcullis_domain::sessions::{EndReason, SessionId};
use portcullis_domain::tokens::ChallengeClaims;
use portcullis_ports::{StoreError, StoreExt, Tx};
use std::fmt;
use std::sync::Arc;

/// Input of a confirmation.
#[derive(Debug)]
pub struct TotpConfirmation {
    /// User who enrols the app.
    pub enrollee: Enrollee,
    /// The pending factor.
    pub id: FactorId,
    /// A current code of that factor.
    pub code: FactorCode,
}

/// A confirmed factor. Redacted in `Debug`.
pub struct TotpConfirmed {
    /// The factor.
    pub factor: TotpFactor,
    /// Recovery codes, with the account's first factor.
    pub recovery_codes: Option<Vec<RecoveryCode>>,
    /// Number of other sessions that ended.
    pub sessions_ended: u64,
    /// New session, if a login required the enrolment.
    pub logged_in: Option<LoggedIn>,
}

impl fmt::Debug for TotpConfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpConfirmed(…)")
    }
}

/// A pending factor whose code was right.
struct Confirming<'a> {
    owner: &'a Owner,
    id: FactorId,
    step: TimeStep,
    at: DateTime<Utc>,
    caller: &'a Caller,
}

/// Confirms an authenticator app.
pub struct ConfirmTotp {
    /// Reads challenges.
    pub challenges: Arc<Challenges>,
    /// Checks the code.
    pub second_factor: Arc<SecondFactor>,
    /// Begins the session of a login that required the enrolment.
    pub gate: Arc<Gate>,
}

impl ConfirmTotp {
    /// Confirms a pending factor. The account's first factor ends every other session and comes with
    /// recovery codes.
    ///
    /// # Errors
    /// Returns [`MfaReason::NotFound`] if the account has no such pending factor, and
    /// [`MfaReason::WrongCode`] for a wrong code, which leaves it pending.
    pub fn run(&self, input: &TotpConfirmation, caller: &Caller) -> Result<TotpConfirmed, MfaError> {
        let owner = &self.challenges.enrolling(&input.enrollee)?;
        let (id, at) = (input.id, self.second_factor.clock.now().trunc_subsecs(6));
        let factors = self.challenges.store.read(|tx| tx.factors().totp(owner.user.id))?;
        let pending = factors.into_iter().find(|factor| factor.id == id && factor.is_pending(at));
        let pending = pending.ok_or(MfaReason::NotFound)?;
        let known = self.second_factor.known_device(owner, caller);
        let step = || match &input.code {
            FactorCode::Totp(code) => Ok(self.second_factor.step(&pending, *code)?.map(|step| Match::Step(id, step))),
            FactorCode::Recovery(_) | FactorCode::Unreadable => Ok(None),
        };
        let proof = self.second_factor.check_by(owner, known, caller, step)?.ok_or(MfaReason::WrongCode)?;
        let Match::Step(_, step) = proof.matched else { return Err(MfaReason::WrongCode.into()) };
        let confirming = Confirming { owner, id, step, at, caller };
        let (enabled, logged_in) = match &input.enrollee {
            Enrollee::Session(session) => (self.in_session(&confirming, session)?, None),
            Enrollee::LogIn(challenge) => {
                let (enabled, logged_in) = self.in_login(&confirming, challenge, known)?;
                (enabled, Some(logged_in))
            }
        };
        self.second_factor.outbox.notify_worker();
        let (recovery_codes, sessions_ended) = match enabled {
            Some(Enabled { recovery_codes, sessions_ended }) => (Some(recovery_codes), sessions_ended),
            None => (None, 0),
        };
        tracing::info!(target: LOG, user_id = owner.user.id.get(), sessions = sessions_ended, "Second factor added");
        let factor = TotpFactor { confirmed_at: Some(at), last_used_at: Some(at), last_step: Some(step), ..pending };
        Ok(TotpConfirmed { factor, recovery_codes, sessions_ended, logged_in })
    }

    /// Confirms the factor from a session. Its user has then presented a second factor.
    fn in_session(&self, confirming: &Confirming<'_>, session: &Authenticated) -> Result<Option<Enabled>, MfaError> {
        self.challenges.store.write(|tx| {
            let (_, last) = lock_session(session, tx)?;
            if let Some(id) = session.session_id {
                let methods = last.map(|last| last.methods).unwrap_or_default();
                let by = Authentication::new(methods.with(Method::OneTimeCode), confirming.at);
                tx.sessions().reauthenticate(id, &by)?;
            }
            let confirmed = self.confirm(confirming, session.session_id, tx)?;
            confirmed.ok_or_else(|| MfaReason::NotFound.into())
        })
    }

    /// Confirms the factor in the transaction that begins the session of a login.
    fn in_login(
        &self,
        confirming: &Confirming<'_>,
        challenge: &ChallengeClaims,
        known: Option<DeviceId>,
    ) -> Result<(Option<Enabled>, LoggedIn), MfaError> {
        let Confirming { owner, caller, .. } = *confirming;
        let caller = &caller.forgetting(challenge.forget);
        let mut confirmed = None;
        let entry = Entry {
            owner,
            email: &owner.user.email,
            methods: challenge.first.with(Method::OneTimeCode),
            session_id: challenge.session_id,
            device: known.unwrap_or_else(|| self.second_factor.devices.new_device()),
            is_known: known.is_some(),
            page: None,
            needs_lock: true,
            caller,
            admission: &Admission::default(),
        };
        let logged_in = self.gate.pass(&entry, &mut |tx| {
            confirmed = self.confirm(confirming, None, tx)?;
            Ok(confirmed.is_some())
        });
        let logged_in = logged_in.map_err(UseCaseError::convert)?.ok_or(MfaReason::Revoked)?;
        Ok((confirmed.flatten(), logged_in))
    }

    /// Confirms the factor of a locked account. Returns `None` if it is no longer pending, else what the first
    /// factor changed.
    fn confirm(
        &self,
        confirming: &Confirming<'_>,
        keep: Option<SessionId>,
        tx: &mut dyn Tx,
    ) -> Result<Option<Option<Enabled>>, StoreError> {
        let Confirming { id, step, at, caller, .. } = *confirming;
        let user_id = confirming.owner.user.id;
        let Some(owner) = tx.credentials().owner(user_id)? else { return Ok(None) };
        if !tx.factors().confirm_totp(user_id, &id, step, at)? {
            return Ok(None);
        }
        let session_end = caller.session_end(EndReason::MfaEnabled, at);
        let enabled = self.second_factor.enable(&owner, (keep, &session_end), tx)?;
        self.second_factor.outbox.enqueue_notice(Occasion::FactorAdded, &owner.user, &caller.cause(at), tx)?;
        Ok(Some(enabled))
    }
}
