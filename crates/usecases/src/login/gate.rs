//! The one gate to a new session: every way in ends here, and passes the same checks in the same order.

use super::password::{LogInError, LogInReason, LoggedIn, refused};
use crate::LOG;
use crate::caller::Caller;
use crate::failure::DependencyError;
use crate::limits::Admission;
use crate::mfa::{Challenge, Factors};
use crate::passkeys::PasskeyCeremonies;
use crate::sessions::{BeginSession, Entry, Uses};
use portcullis_domain::login::{EntryPolicy, EntryRejection, LoginRejection, Methods, Owner, SignIn, Standing};
use portcullis_domain::mfa::TotpFactor;
use portcullis_domain::passkeys::PasskeyPurpose;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{DeviceHash, Session, SessionId};
use portcullis_domain::tokens::{ChallengeClaims, ChallengePurpose, Claims};
use portcullis_ports::{StoreError, StoreExt, Tx};
use std::sync::Arc;

/// Decides who may begin a session, and begins it.
pub struct Gate {
    /// Conditions of the service.
    pub policy: EntryPolicy,
    /// Begins the session.
    pub beginning: BeginSession,
    /// Requests passkeys as second factors.
    pub passkeys: Arc<PasskeyCeremonies>,
}

impl Gate {
    /// Returns whether an owner who presented `methods` is refused even with a second factor.
    pub(super) fn refuses(&self, owner: &Owner, methods: Methods) -> bool {
        matches!(self.policy.decide(&Standing::for_owner(owner), methods), SignIn::Refused(_))
    }

    /// Creates the entry of an owner who presented something else than the password.
    pub(crate) fn entry<'a>(
        &self,
        owner: &'a Owner,
        (methods, session_id): (Methods, SessionId),
        (caller, admission): (&'a Caller, &'a Admission),
    ) -> Entry<'a> {
        let (devices, email) = (&self.beginning.devices, &owner.user.email);
        let known = devices.known_device(caller, email, owner.credentials.hash());
        Entry {
            owner,
            email,
            methods,
            session_id,
            device: known.unwrap_or_else(|| devices.new_device()),
            is_known: known.is_some(),
            page: None,
            needs_lock: true,
            caller,
            admission,
        }
    }

    /// Begins a session. Returns `None` if the account changed since it was read, or if `uses` returns
    /// `false`.
    pub(crate) fn pass(&self, entry: &Entry<'_>, uses: Uses<'_>) -> Result<Option<LoggedIn>, LogInError> {
        let user_id = entry.owner.user.id;
        let standing = self.standing(entry)?;
        match self.policy.decide(&standing, entry.methods) {
            // Checked again in the transaction, because the trust may have ended since.
            SignIn::Done if standing.trusted_device => {
                let mut still = |tx: &mut dyn Tx| Ok(self.trusts_device(entry, tx)? && uses(tx)?);
                Ok(self.beginning.run(entry, &mut still)?)
            }
            SignIn::Done => Ok(self.beginning.run(entry, uses)?),
            SignIn::SecondFactorRequired => {
                let challenge = self.challenge(entry, ChallengePurpose::SecondFactor)?;
                tracing::info!(target: LOG, user_id = user_id.get(), "Second factor required");
                Err(LogInReason::SecondFactorRequired(Box::new(challenge)).into())
            }
            SignIn::EnrolmentRequired => {
                let challenge = self.challenge(entry, ChallengePurpose::Enrolment)?;
                tracing::info!(target: LOG, user_id = user_id.get(), "Second factor enrolment required");
                Err(LogInReason::EnrolmentRequired(Box::new(challenge)).into())
            }
            SignIn::Refused(EntryRejection::Inactive) => {
                Err(refused(LoginRejection::Inactive(user_id), entry.caller).into())
            }
            SignIn::Refused(EntryRejection::SingleFactorKey) => {
                Err(refused(LoginRejection::SingleFactorKey(user_id), entry.caller).into())
            }
            SignIn::Refused(EntryRejection::EmailUnverified) => {
                tracing::warn!(target: LOG, user_id = user_id.get(), "Login refused until the address is verified");
                Err(LogInReason::EmailUnverified.into())
            }
        }
    }

    /// Queries the trusted devices only if the decision depends on them.
    fn standing(&self, entry: &Entry<'_>) -> Result<Standing, StoreError> {
        let standing = Standing::for_owner(entry.owner);
        let has_device = entry.is_known || entry.page.is_some();
        let can_be_trusted = standing.second_factor && self.policy.trusted_devices && has_device;
        let matters = can_be_trusted && !entry.methods.are_multi_factor();
        let trusted_device = matters && self.beginning.store.read(|tx| self.trusts_device(entry, tx))?;
        Ok(Standing { trusted_device, ..standing })
    }

    fn trusts_device(&self, entry: &Entry<'_>, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let (user_id, devices) = (entry.owner.user.id, &self.beginning.devices);
        let is_own = |trusted: DeviceHash| match entry.page {
            Some(page) => page.device == Some(trusted),
            None => devices.is_hash_of(trusted, user_id, entry.device),
        };
        self.trusts(user_id, is_own, tx)
    }

    fn trusts(
        &self,
        user_id: UserId,
        is_own: impl Fn(DeviceHash) -> bool,
        tx: &mut dyn Tx,
    ) -> Result<bool, StoreError> {
        let trusted = tx.factors().trusted_devices(user_id, self.beginning.clock.now())?;
        Ok(trusted.iter().any(|trusted| is_own(trusted.device)))
    }

    /// Returns whether an app may continue a session of the account pages, as [`pass`](Self::pass) will decide.
    pub(crate) fn admits(&self, owner: &Owner, page: &Session, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let methods = page.authentication.map(|by| by.methods).unwrap_or_default();
        let is_own = |trusted| page.device == Some(trusted);
        let trusted_device = self.policy.trusted_devices && self.trusts(owner.user.id, is_own, tx)?;
        let standing = Standing { trusted_device, ..Standing::for_owner(owner) };
        Ok(self.policy.decide(&standing, methods) == SignIn::Done)
    }

    fn challenge(&self, entry: &Entry<'_>, purpose: ChallengePurpose) -> Result<Challenge, DependencyError> {
        let BeginSession { issuance, outbox, clock, .. } = &self.beginning;
        let (user_id, password) = (entry.owner.user.id, outbox.tokens.version(entry.owner.credentials.hash()));
        let claims = ChallengeClaims::new(user_id, entry.session_id, purpose, (entry.methods, password), clock.now());
        let claims = ChallengeClaims { forget: entry.caller.forget, ..claims };
        let token = issuance.issuer.sign(&Claims::Challenge(claims))?;
        let factors = match purpose {
            ChallengePurpose::Enrolment => Factors::default(),
            ChallengePurpose::SecondFactor => self.factors(user_id, entry.methods)?,
        };
        Ok(Challenge { token, expires_in: purpose.lifetime(), factors })
    }

    /// Returns what completes the login of a user who presented `first`.
    pub(crate) fn factors(&self, user_id: UserId, first: Methods) -> Result<Factors, StoreError> {
        let (totp, passkeys, codes) = self.beginning.store.read(|tx| {
            let totp = tx.factors().totp(user_id)?.iter().any(TotpFactor::is_confirmed);
            Ok::<_, StoreError>((totp, tx.passkeys().list(user_id)?, tx.factors().recovery_codes_left(user_id)?))
        })?;
        // After a passkey that did not verify the user, only one that does is another factor.
        let verification = first.contain_key();
        let passkey = self.passkeys.request(PasskeyPurpose::SecondFactor, user_id, &passkeys, verification);
        Ok(Factors { totp, passkey, recovery_codes: codes > 0 })
    }
}
