//! Checks and uses up the codes of second factors. Every use case that needs one shares the limits.

use super::recovery_codes::new_codes;
use super::{FactorCode, PresentedFactor};
use crate::LOG;
use crate::caller::Caller;
use crate::failure::{DependencyError, Reason, UseCaseError};
use crate::limits::{Admission, DeviceCookies, LimitError, Limits};
use crate::login::{Gate, LogInError, LoggedIn};
use crate::mail::Outbox;
use crate::passkeys::{PasskeyCeremonies, VerifiedPasskey, VerifyPasskeyError, report};
use crate::sessions::Entry;
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::limits::DeviceId;
use portcullis_domain::login::{Method, Methods, Owner};
use portcullis_domain::mail::Occasion;
use portcullis_domain::mfa::{
    FactorId, MAX_TRUSTED_DEVICES, RecoveryCode, RecoveryCodeDigest, TimeStep, TotpCode, TotpFactor, TotpSecret,
    TrustedDevice, TrustedDeviceId, matching_step, sealing_context,
};
use portcullis_domain::passkeys::{PasskeyFault, PasskeyPurpose};
use portcullis_domain::registration::UserId;
use portcullis_ports::{
    Clock, Entropy, EntropyExt, SealError, Sealer, SecondFactorObserver, SecondFactorOutcome, Store, StoreError,
    StoreExt, TotpGenerator, Tx,
};
use std::cell::Cell;
use std::sync::Arc;

/// Checks second factors.
pub struct SecondFactor {
    /// Store of the factors.
    pub store: Arc<dyn Store>,
    /// Encrypts the secrets of authenticator apps.
    pub sealer: Arc<dyn Sealer>,
    /// Computes the codes of authenticator apps.
    pub totp: Arc<dyn TotpGenerator>,
    /// Verifies signatures of passkeys.
    pub passkeys: Arc<PasskeyCeremonies>,
    /// Notified of each attempt.
    pub observer: Arc<dyn SecondFactorObserver>,
    /// Limit on wrong codes.
    pub limits: Arc<Limits>,
    /// Known devices.
    pub devices: Arc<DeviceCookies>,
    /// Outbox for notices to the owner.
    pub outbox: Arc<Outbox>,
    /// Random bytes for recovery codes and ids.
    pub entropy: Arc<dyn Entropy>,
    /// Time for which a device is trusted. `None`: there are no trusted devices.
    pub trust_for: Option<TimeDelta>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

/// A right code or signature that is not used up yet. Its charge is refunded when this is dropped.
pub(crate) struct Proof {
    pub(super) matched: Match,
    admission: Admission,
    /// Fault of a signature that could not be used up.
    fault: Cell<Option<PasskeyFault>>,
}

impl Proof {
    /// Returns whether the account must be locked before the proof is used up: only one call may find that it
    /// used the last recovery code, and passkeys are changed under the lock.
    pub(crate) const fn needs_lock(&self) -> bool {
        matches!(self.matched, Match::RecoveryCode(_) | Match::Passkey(_))
    }

    /// Returns what the user proved.
    pub(super) fn methods(&self) -> Methods {
        match &self.matched {
            Match::Step(..) | Match::RecoveryCode(_) => Method::OneTimeCode.into(),
            Match::Passkey(verified) => verified.methods(),
        }
    }
}

/// Result of using up a code. The default is that of a call without a code.
#[derive(Default)]
pub(super) struct Used {
    /// New recovery codes, if the code was the last one.
    pub(super) recovery_codes: Option<Vec<RecoveryCode>>,
}

/// What a code or a signature matched.
#[derive(Debug)]
pub(super) enum Match {
    Step(FactorId, TimeStep),
    RecoveryCode(RecoveryCodeDigest),
    Passkey(Box<VerifiedPasskey>),
}

/// Reason why a code was not judged.
pub(super) enum MatchError {
    /// It is not the code of any factor that could be read, but others could not.
    PartlyUnreadable(SealError),
    Failed(DependencyError),
}

impl<E: Into<DependencyError>> From<E> for MatchError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl SecondFactor {
    /// Counts and checks a code. Returns `None` if it is wrong, and keeps the charge then.
    pub(crate) fn check<R: Reason>(
        &self,
        owner: &Owner,
        code: &FactorCode,
        device: Option<DeviceId>,
        caller: &Caller,
    ) -> Result<Option<Proof>, UseCaseError<R>> {
        self.check_by(owner, device, caller, || self.find(owner.user.id, code))
    }

    /// Counts and checks a code, or the signature of a passkey for this purpose. Together with `first` it must
    /// prove several factors: the passkey that began a login does not complete it without the user's
    /// verification.
    pub(super) fn check_presented<R: Reason>(
        &self,
        owner: &Owner,
        presented: (&PresentedFactor, PasskeyPurpose, Methods),
        device: Option<DeviceId>,
        caller: &Caller,
    ) -> Result<Option<Proof>, UseCaseError<R>> {
        let (factor, purpose, first) = presented;
        self.check_by(owner, device, caller, || match factor {
            PresentedFactor::Code(code) => self.find(owner.user.id, code),
            PresentedFactor::Passkey(credential) => {
                let account = Some(owner.user.id);
                match self.passkeys.verify(credential, (purpose, account), caller, &*self.store) {
                    Ok(verified) if first.and(verified.methods()).are_multi_factor() => {
                        Ok(Some(Match::Passkey(Box::new(verified))))
                    }
                    Ok(_) => {
                        report(PasskeyFault::UserVerification, account, caller);
                        Ok(None)
                    }
                    Err(VerifyPasskeyError::Refused(_)) => Ok(None),
                    Err(VerifyPasskeyError::Failed(error)) => Err(error.into()),
                }
            }
        })
    }

    /// Like [`check`](Self::check), with the check that `matches` does.
    pub(super) fn check_by<R: Reason>(
        &self,
        owner: &Owner,
        device: Option<DeviceId>,
        caller: &Caller,
        matches: impl FnOnce() -> Result<Option<Match>, MatchError>,
    ) -> Result<Option<Proof>, UseCaseError<R>> {
        let admission = self.limits.count_second_factor(owner.user.id, device, caller).inspect_err(|error| {
            if let LimitError::Limited(limited) = error {
                limited.log(caller.client.ip_address);
                self.observer.on_attempt(SecondFactorOutcome::Limited);
                self.limits.charge_refusal(limited, caller.source());
            }
        })?;
        let matched = match matches() {
            // The code was checked, so the charge stays. Else codes could be guessed at without end.
            Err(MatchError::PartlyUnreadable(error)) => {
                admission.commit();
                return Err(DependencyError::from(error).into());
            }
            Err(MatchError::Failed(error)) => return Err(error.into()),
            Ok(matched) => matched,
        };
        if let Some(matched) = matched {
            self.observer.on_attempt(SecondFactorOutcome::Right);
            return Ok(Some(Proof { matched, admission, fault: Cell::default() }));
        }
        self.refuse(admission, owner, caller);
        Ok(None)
    }

    /// Returns whether a signature can never be used up, and keeps its charge then. A code that was used up
    /// before is wrong when it is checked again.
    pub(super) fn is_spent(&self, proof: Proof, owner: &Owner, caller: &Caller) -> bool {
        let Some(fault) = proof.fault.get() else { return false };
        report(fault, Some(owner.user.id), caller);
        self.refuse(proof.admission, owner, caller);
        true
    }

    fn refuse(&self, admission: Admission, owner: &Owner, caller: &Caller) {
        admission.commit();
        self.observer.on_attempt(SecondFactorOutcome::Wrong);
        let client = caller.client.ip_address.map(tracing::field::display);
        tracing::warn!(target: LOG, user_id = owner.user.id.get(), client, "Second factor refused");
    }

    /// Returns the caller's device, if the account knows it.
    pub(super) fn known_device(&self, owner: &Owner, caller: &Caller) -> Option<DeviceId> {
        self.devices.known_device(caller, &owner.user.email, owner.credentials.hash())
    }

    /// Returns the device of a login: a new one if it is to be trusted, since its cookie may have been copied
    /// before.
    pub(crate) fn device(&self, known: Option<DeviceId>, proof: Option<&Proof>, remember: bool) -> DeviceId {
        let trusts = remember && proof.is_some() && self.trust_for.is_some();
        known.filter(|_| !trusts).unwrap_or_else(|| self.devices.new_device())
    }

    fn find(&self, user_id: UserId, code: &FactorCode) -> Result<Option<Match>, MatchError> {
        match code {
            FactorCode::Unreadable => Ok(None),
            FactorCode::Recovery(code) => {
                let digest = code.digest();
                let unused = self.store.read(|tx| tx.factors().has_recovery_code(user_id, &digest))?;
                Ok(unused.then_some(Match::RecoveryCode(digest)))
            }
            FactorCode::Totp(code) => {
                let factors = self.store.read(|tx| tx.factors().totp(user_id))?;
                let confirmed = factors.iter().filter(|factor| factor.is_confirmed());
                let (mut checked, mut unreadable) = (false, None);
                for factor in confirmed {
                    match self.step(factor, *code) {
                        Ok(Some(step)) => return Ok(Some(Match::Step(factor.id, step))),
                        Ok(None) => checked = true,
                        Err(error) => unreadable = Some(error),
                    }
                }
                // The code may have been that of the factor that cannot be read.
                match unreadable {
                    None => Ok(None),
                    Some(error) if checked => Err(MatchError::PartlyUnreadable(error)),
                    Some(error) => Err(error.into()),
                }
            }
        }
    }

    /// Returns the time step of a factor that a code belongs to.
    pub(super) fn step(&self, factor: &TotpFactor, code: TotpCode) -> Result<Option<TimeStep>, SealError> {
        let opened = self.sealer.open(&sealing_context(&factor.id), factor.secret.as_bytes());
        let secret = opened.and_then(|opened| TotpSecret::from_bytes(&opened.plain).ok_or(SealError::Damaged));
        let secret = secret.inspect_err(|error| {
            let (user_id, factor) = (factor.user_id.get(), tracing::field::display(factor.id));
            tracing::error!(target: LOG, user_id, factor, %error, "Stored secret of a second factor is unreadable");
        })?;
        Ok(matching_step(code, self.clock.now(), factor.last_step, |step| self.totp.code(&secret, step)))
    }

    /// Uses up a code, if any, in the transaction that it authorizes. Returns `None` if it was used up
    /// before.
    pub(super) fn use_up(
        &self,
        proof: Option<&Proof>,
        owner: &Owner,
        caller: &Caller,
        tx: &mut dyn Tx,
    ) -> Result<Option<Used>, StoreError> {
        let (user, at) = (&owner.user, self.clock.now());
        let Some(proof) = proof else { return Ok(Some(Used::default())) };
        let digest = match &proof.matched {
            Match::Step(id, step) => return Ok(tx.factors().use_step(id, *step, at)?.then(Used::default)),
            Match::RecoveryCode(digest) => digest,
            Match::Passkey(verified) => {
                proof.fault.set(verified.use_up(at, tx)?);
                return Ok(proof.fault.get().is_none().then(Used::default));
            }
        };
        if !tx.factors().use_recovery_code(user.id, digest, at)? {
            return Ok(None);
        }
        self.outbox.enqueue_notice(Occasion::RecoveryCodeUsed, user, &caller.cause(at), tx)?;
        if tx.factors().recovery_codes_left(user.id)? > 0 {
            return Ok(Some(Used::default()));
        }
        let (codes, digests) = new_codes(&*self.entropy);
        tx.factors().replace_recovery_codes(user.id, &digests)?;
        Ok(Some(Used { recovery_codes: Some(codes) }))
    }

    /// Passes the gate, and uses up the code of the second factor, if any. With a code, `remember` trusts the
    /// device.
    pub(crate) fn begin_session(
        &self,
        gate: &Gate,
        entry: &Entry<'_>,
        proof: Option<&Proof>,
        remember: bool,
    ) -> Result<Option<LoggedIn>, LogInError> {
        let mut used = Used::default();
        let logged_in = gate.pass(entry, &mut |tx| {
            let Some(done) = self.use_up(proof, entry.owner, entry.caller, tx)? else { return Ok(false) };
            used = done;
            if remember && proof.is_some() {
                self.trust(entry, self.clock.now(), tx)?;
            }
            Ok(true)
        })?;
        if logged_in.is_some()
            && let Some(proof) = proof
        {
            self.report_use(proof, entry.owner);
        }
        Ok(logged_in.map(|logged_in| LoggedIn { recovery_codes: used.recovery_codes, ..logged_in }))
    }

    /// Logs the use of a recovery code and wakes the email worker. Call it after the commit.
    pub(super) fn report_use(&self, proof: &Proof, owner: &Owner) {
        if let Match::RecoveryCode(_) = proof.matched {
            tracing::warn!(target: LOG, user_id = owner.user.id.get(), "Recovery code used");
            self.outbox.notify_worker();
        }
    }

    /// Trusts the device of a login, in place of the id that it had before and of the oldest devices.
    fn trust(&self, entry: &Entry<'_>, now: DateTime<Utc>, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let Some(trust_for) = self.trust_for else { return Ok(()) };
        let user_id = entry.owner.user.id;
        let known = self.known_device(entry.owner, entry.caller);
        for (number, trusted) in tx.factors().trusted_devices(user_id, now)?.iter().enumerate() {
            let is_before = known.is_some_and(|known| self.devices.is_hash_of(trusted.device, user_id, known));
            if is_before || number >= MAX_TRUSTED_DEVICES - 1 {
                tx.factors().forget_device(user_id, &trusted.id)?;
            }
        }
        tx.factors().trust(&TrustedDevice {
            id: TrustedDeviceId::from_random(self.entropy.array()),
            user_id,
            device: self.devices.hash(user_id, entry.device),
            client: entry.caller.client.clone(),
            created_at: now,
            expires_at: now.checked_add_signed(trust_for).unwrap_or(DateTime::<Utc>::MAX_UTC),
        })
    }
}

/// Returns the methods of a login with a password and, if there is a proof, a second factor.
pub(crate) fn password_and(proof: Option<&Proof>) -> Methods {
    Methods::from(Method::Password).and(proof.map(Proof::methods).unwrap_or_default())
}
