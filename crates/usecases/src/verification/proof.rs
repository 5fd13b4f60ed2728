//! Decides whether the password stays when an account is claimed: at the first verification of its
//! email, and at an undo. Only proof from the person who presents the token keeps it: the password
//! itself, a session of the account, or a device that is logged in to it. Otherwise an attacker who
//! registered the address first would keep access (account pre-hijacking, USENIX Security 2022).

use super::{EmailVerification, RedeemError, VerifyEmail, VerifyEmailError, VerifyEmailReason};
use crate::caller::Caller;
use crate::limits::DeviceCookies;
use crate::tokens::Authenticated;
use chrono::DateTime;
use portcullis_domain::login::{Credentials, Owner};
use portcullis_domain::registration::{Password, PasswordHash, User};
use portcullis_domain::sessions::{DeviceHash, KeepSessions};
use portcullis_domain::verification::OneTimeTokenRecord;
use portcullis_ports::{EntropyExt, PasswordCheck, StoreError, StoreExt, Tx};

/// Maximum number of an account's sessions compared with a device.
const MAX_SESSIONS: u32 = 1_000;

/// A valid token and the account that it claims. The token is not used yet.
#[derive(Debug)]
pub struct ClaimedToken {
    pub(super) input: EmailVerification,
    pub(super) claim: Claim,
}

/// The account that a token claims.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) owner: Owner,
    /// Nothing is claimed, or the caller proves that the password is its owner's.
    proven: bool,
}

/// Decision about the account's password when a token claims the account.
#[derive(Debug)]
pub(super) enum PasswordFate {
    /// The user entered it, and it matches these credentials.
    Entered(Credentials),
    /// It was not entered. It stays if the caller proves that it is the owner's.
    Unentered,
    /// It is replaced by this hash of a random password that no one knows.
    Removed(PasswordHash),
}

/// Reason why a token was not used.
pub(super) enum VerifyAttemptError {
    /// The account changed since it was read. Try again.
    Outdated,
    Failed(VerifyEmailError),
}

impl<E: Into<VerifyEmailError>> From<E> for VerifyAttemptError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl ClaimedToken {
    /// Returns whether executing the claim hashes a password, to check it or to make it unusable.
    #[must_use]
    pub fn hashes(&self) -> bool {
        self.input.password.is_some() || !self.claim.proven
    }
}

impl VerifyEmail {
    /// Finds the account of a token without using the token. An attacker who guesses tokens causes no
    /// hash and blocks no writer.
    pub fn precheck(&self, input: EmailVerification, caller: &Caller) -> Result<ClaimedToken, VerifyEmailError> {
        let claim = self.find_claim(&input, caller)?;
        Ok(ClaimedToken { input, claim })
    }

    pub(super) fn find_claim(&self, input: &EmailVerification, caller: &Caller) -> Result<Claim, VerifyEmailError> {
        let now = self.clock.now();
        self.reauthentication.store.read(|tx| {
            let found = self.tokens.find_valid(&input.token, now, tx)?;
            let (record, owner) = RedeemError::require_purpose(found, super::verify::is_of_an_address)?;
            let proven = !record.claims(&owner.user) || self.proves(input, caller, &owner, tx)?;
            Ok(Claim { owner, proven })
        })
    }

    /// Checks the entered password, or creates a hash to replace an unproven one. Call it outside of
    /// transactions, because hashing is slow.
    pub(super) fn fate(
        &self,
        entered: Option<&Password>,
        claim: &Claim,
        caller: &Caller,
    ) -> Result<PasswordFate, VerifyEmailError> {
        let hasher = &self.reauthentication.hasher;
        if let Some(password) = entered {
            let stored = &claim.owner.credentials;
            return match hasher.verify(password, stored.hash(), &caller.cancellation)? {
                PasswordCheck::Match { .. } => Ok(PasswordFate::Entered(stored.clone())),
                PasswordCheck::Mismatch | PasswordCheck::Unreadable => {
                    Err(VerifyEmailReason::InvalidCredentials.into())
                }
            };
        }
        if claim.proven {
            return Ok(PasswordFate::Unentered);
        }
        // A real hash, so that no code needs a special case and a login takes the usual time.
        let nobodys = hex::encode(self.tokens.entropy.array::<32>());
        Ok(PasswordFate::Removed(hasher.hash(&Password::new(nobodys), &caller.cancellation)?))
    }

    /// Applies the decision to a locked account. Returns the account as it is then, the sessions to
    /// keep, and whether the password was removed.
    pub(super) fn settle(
        &self,
        (record, owner): (&OneTimeTokenRecord, Owner),
        (input, caller): (&EmailVerification, &Caller),
        fate: &PasswordFate,
        tx: &mut dyn Tx,
    ) -> Result<(Owner, KeepSessions, bool), VerifyAttemptError> {
        if let PasswordFate::Entered(verified) = fate
            && *verified != owner.credentials
        {
            return Err(VerifyAttemptError::Outdated);
        }
        // Checked again under the lock, because the session may have ended.
        let own = self.proves(input, caller, &owner, tx)?;
        let keep = if own { self.kept_sessions(input, caller, &owner, tx)? } else { KeepSessions::default() };
        if own || !record.claims(&owner.user) || matches!(fate, PasswordFate::Entered(_)) {
            return Ok((owner, keep, false));
        }
        let PasswordFate::Removed(nobodys) = fate else { return Err(VerifyAttemptError::Outdated) };
        let credentials = owner.credentials.clone().with_password_removed(nobodys.clone());
        if !tx.credentials().replace(owner.user.id, &owner.credentials, &credentials)? {
            return Err(VerifyAttemptError::Outdated);
        }
        Ok((Owner { credentials, ..owner }, keep, true))
    }

    /// Returns whether the caller is logged in to the account: by a bearer token of a session, or by a
    /// device cookie.
    fn proves(
        &self,
        input: &EmailVerification,
        caller: &Caller,
        owner: &Owner,
        tx: &mut dyn Tx,
    ) -> Result<bool, StoreError> {
        if let Some(cookie) = &caller.device
            && signed_in_device(&self.devices, cookie, owner, tx)?.is_some()
        {
            return Ok(true);
        }
        let Some(bearer) = input.bearer_of(&owner.user) else { return Ok(false) };
        match bearer.session_id {
            Some(id) => Ok(tx.sessions().find(id)?.is_some_and(|session| session.ended_at.is_none())),
            // A token of the FastAPI app, valid for minutes.
            None => Ok(bearer.password == *owner.credentials.hash()),
        }
    }

    fn kept_sessions(
        &self,
        input: &EmailVerification,
        caller: &Caller,
        owner: &Owner,
        tx: &mut dyn Tx,
    ) -> Result<KeepSessions, StoreError> {
        let device = match &caller.device {
            Some(cookie) => signed_in_device(&self.devices, cookie, owner, tx)?,
            None => None,
        };
        Ok(KeepSessions { session: input.bearer_of(&owner.user).and_then(|bearer| bearer.session_id), device })
    }
}

impl EmailVerification {
    fn bearer_of(&self, user: &User) -> Option<&Authenticated> {
        self.bearer.as_ref().filter(|bearer| bearer.user.id == user.id)
    }
}

/// Returns the stored hash of the cookie's device, or `None` unless an active session of the account began on
/// it. The cookie alone is not enough, because it is bound to an email address only. It may belong to an
/// account that had the address before, or be older than a password change, which ends the sessions of other
/// devices.
pub(super) fn signed_in_device(
    devices: &DeviceCookies,
    cookie: &str,
    owner: &Owner,
    tx: &mut dyn Tx,
) -> Result<Option<DeviceHash>, StoreError> {
    let Owner { user, credentials } = owner;
    let Some(device) = devices.recognise(cookie, &user.email, credentials.hash()) else { return Ok(None) };
    let open = tx.sessions().list(user.id, DateTime::UNIX_EPOCH, MAX_SESSIONS)?;
    let mut hashes = open.iter().filter_map(|listed| listed.session.device);
    Ok(hashes.find(|hash| devices.is_hash_of(*hash, user.id, device)))
}
