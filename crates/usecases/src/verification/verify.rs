//! Verifies an email address: the account's current, new or former one.

use super::proof::{ClaimedToken, PasswordFate, VerifyAttemptError};
use super::{OneTimeTokens, RedeemError, RedeemReason};
use crate::LOG;
use crate::caller::Caller;
use crate::counted::Counted;
use crate::failure::{Reason, UseCaseError};
use crate::limits::{Admission, Attempt, DeviceCookies, LimitError};
use crate::login::{MAX_ATTEMPTS, Reauthentication, hash_contention};
use crate::mail::{MailCause, Outbox};
use crate::recovery::{remove_all_methods, remove_foreign_methods, remove_sign_in_methods};
use crate::tokens::Authenticated;
use portcullis_domain::ErrorCode;
use portcullis_domain::login::Owner;
use portcullis_domain::mail::Occasion;
use portcullis_domain::registration::{EmailAddress, Password, User};
use portcullis_domain::sessions::{EndReason, KeepSessions, SessionEnd};
use portcullis_domain::verification::{OneTimeToken, OneTimeTokenRecord, Purpose};
use portcullis_ports::{Clock, EmailChange, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// Input of the verification, with a token from an email. Sessions of the bearer and of the caller's
/// device are kept when others end, if they belong to the same account.
#[derive(Debug)]
pub struct EmailVerification {
    /// The token.
    pub token: OneTimeToken,
    /// User who is logged in where the token is presented, if any.
    pub bearer: Option<Authenticated>,
    /// Password of the account, if the user entered it. A correct password is kept.
    pub password: Option<Password>,
}

/// The address is verified.
#[derive(Debug)]
pub struct EmailVerified {
    /// Purpose of the token.
    pub purpose: Purpose,
    /// Email of the account now.
    pub email: EmailAddress,
    /// `true` if this was the first verified address of the account.
    pub first: bool,
    /// Number of ended sessions.
    pub sessions_ended: u64,
    /// `true` if the password was removed because it was not proven to be the owner's.
    pub password_removed: bool,
    /// Token to set a new password. Present if the old one was removed, or if the person who changed
    /// the address may know it.
    pub reset: Option<OneTimeToken>,
}

/// Reason why nothing was verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyEmailReason {
    /// The token is refused.
    #[error(transparent)]
    Token(#[from] RedeemReason),
    /// Another account has the address by now, or can reclaim it.
    #[error("Email already registered")]
    EmailTaken,
    /// The entered password is wrong. The token is not used.
    #[error("Invalid email or password")]
    InvalidCredentials,
}

/// Error of a verification.
pub type VerifyEmailError = UseCaseError<VerifyEmailReason>;

impl Reason for VerifyEmailReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Token(reason) => reason.code(),
            Self::EmailTaken => ErrorCode::Conflict,
            Self::InvalidCredentials => ErrorCode::InvalidCredentials,
        }
    }
}

/// Verifies an address with a token from an email.
pub struct VerifyEmail {
    /// Checks passwords.
    pub reauthentication: Arc<Reauthentication>,
    /// One-time tokens.
    pub tokens: Arc<OneTimeTokens>,
    /// Known devices.
    pub devices: Arc<DeviceCookies>,
    /// Outbox for notices to the owner.
    pub outbox: Arc<Outbox>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

/// State of the transaction that redeems a token.
struct Redemption<'a> {
    record: OneTimeTokenRecord,
    /// The account before any change by this token.
    found: User,
    /// The account after the decision about its password.
    owner: Owner,
    keep: KeepSessions,
    password_removed: bool,
    session_end: SessionEnd,
    cause: MailCause<'a>,
}

impl Counted for VerifyEmail {
    type Input = ClaimedToken;
    type Output = EmailVerified;
    type Reason = VerifyEmailReason;

    fn attempts(&self, input: &ClaimedToken, caller: &Caller) -> Vec<Attempt> {
        let ClaimedToken { input, claim } = input;
        let guess = || {
            Attempt::Guess(self.reauthentication.guess(&claim.owner.user.email, claim.owner.credentials.hash(), caller))
        };
        input.password.is_some().then(guess).into_iter().collect()
    }

    fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        self.reauthentication.guesses.count(attempt)
    }

    /// Redeems the token and executes its purpose. Exactly one concurrent caller with one token
    /// succeeds. A wrong password does not use the token.
    fn act(&self, input: &ClaimedToken, caller: &Caller, _: &Admission) -> Result<EmailVerified, VerifyEmailError> {
        let ClaimedToken { input, claim } = input;
        let mut claim = claim.clone();
        for _ in 0..MAX_ATTEMPTS {
            let fate = self.fate(input.password.as_ref(), &claim, caller)?;
            match self.reauthentication.store.write(|tx| self.redeem(input, caller, &fate, tx)) {
                Ok(verified) => {
                    self.outbox.notify_worker();
                    return Ok(verified);
                }
                Err(VerifyAttemptError::Outdated) => claim = self.find_claim(input, caller)?,
                Err(VerifyAttemptError::Failed(error)) => return Err(error),
            }
        }
        Err(hash_contention().into())
    }
}

impl VerifyEmail {
    /// Redeems the token: calls [`precheck`](Self::precheck), then counts and executes the claim.
    pub fn run(&self, input: EmailVerification, caller: &Caller) -> Result<EmailVerified, VerifyEmailError> {
        Counted::run(self, &self.precheck(input, caller)?, caller)
    }

    fn redeem(
        &self,
        input: &EmailVerification,
        caller: &Caller,
        fate: &PasswordFate,
        tx: &mut dyn Tx,
    ) -> Result<EmailVerified, VerifyAttemptError> {
        let now = self.clock.now();
        let redeemed = self.tokens.redeem(&input.token, now, tx)?;
        let (record, found) = RedeemError::require_purpose(redeemed, is_of_an_address)?;
        let (owner, keep, password_removed) = self.settle((&record, found.clone()), (input, caller), fate, tx)?;
        let (session_end, cause) = (caller.session_end(EndReason::EmailChanged, now), caller.cause(now));
        let redemption = Redemption { record, found: found.user, owner, keep, password_removed, session_end, cause };
        Ok(self.fulfill(&redemption, tx)?)
    }

    fn fulfill(&self, redemption: &Redemption<'_>, tx: &mut dyn Tx) -> Result<EmailVerified, VerifyEmailError> {
        let Redemption { record, owner, password_removed, .. } = redemption;
        let (user_id, purpose) = (owner.user.id.get(), record.purpose.as_str());
        let mut verified = match record.purpose {
            Purpose::VerifyEmail => self.verify(redemption, tx)?,
            Purpose::ChangeEmail => self.change(redemption, tx)?,
            Purpose::UndoEmailChange => self.undo(redemption, tx)?,
            Purpose::ResetPassword => return Err(VerifyEmailReason::from(RedeemReason::Invalid).into()),
        };
        // After an undo: the person who changed the address knew the password, or has set another one.
        if *password_removed || record.purpose == Purpose::UndoEmailChange {
            verified.reset = Some(self.offer_reset(owner, &record.email, &redemption.cause, tx)?);
        }
        let sessions = verified.sessions_ended;
        tracing::info!(target: LOG, user_id, purpose, sessions, password_removed, "Email verified");
        Ok(verified)
    }

    /// Verifies the account's current address. At the first verification all other sessions and tokens
    /// end, because an attacker may have registered the account.
    fn verify(&self, redemption: &Redemption<'_>, tx: &mut dyn Tx) -> Result<EmailVerified, VerifyEmailError> {
        let Redemption { owner, keep, session_end, .. } = redemption;
        let user = &owner.user;
        let first = tx.users().verify_email(user.id, &user.email, session_end.at)?;
        let mut verified = redemption.outcome(user.email.clone(), first);
        if first {
            let session_end = SessionEnd { reason: EndReason::EmailVerified, ..session_end.clone() };
            verified.sessions_ended = tx.sessions().end_all(user.id, keep, &session_end)?;
            tx.one_time_tokens().delete_for_user(user.id)?;
            self.remove_unproven(redemption, tx)?;
        }
        Ok(verified)
    }

    /// Removes the identities and passkeys of an account that the token claims: someone else may have set them up.
    /// Also removes the second factors at the first verification. Those of a verified account stay: otherwise a
    /// thief of the password could remove them by a change of the address. If the caller is logged in, removes only
    /// what other browsers set up. Notifies the verified address.
    fn remove_unproven(&self, redemption: &Redemption<'_>, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let (owner, notices) = (redemption.notified(), (&*self.outbox, &redemption.cause));
        let is_first = redemption.found.email_verified_at.is_none();
        match (redemption.keep == KeepSessions::default(), is_first) {
            (true, true) => remove_all_methods(owner, notices, tx).map(drop),
            (true, false) => remove_sign_in_methods(&owner.user, notices, tx),
            (false, true) => remove_foreign_methods(owner, &redemption.keep, notices, tx),
            (false, false) => Ok(()),
        }
    }

    fn change(&self, redemption: &Redemption<'_>, tx: &mut dyn Tx) -> Result<EmailVerified, VerifyEmailError> {
        let Redemption { record, found, keep, session_end, .. } = redemption;
        self.set_address(redemption, tx)?;
        // Runs after the change, so that it sees the reservation of an account that gave up this
        // address a moment ago.
        let holder = tx.one_time_tokens().find_reclaimer(&record.email, session_end.at)?;
        if holder.is_some_and(|holder| holder != found.id) {
            return Err(VerifyEmailReason::EmailTaken.into());
        }
        let mut verified = redemption.outcome(record.email.clone(), found.email_verified_at.is_none());
        verified.sessions_ended = tx.sessions().end_all(found.id, keep, session_end)?;
        if record.claims(found) {
            self.remove_unproven(redemption, tx)?;
        }
        tx.one_time_tokens().revoke_all(found.id)?;
        if found.email.canonical() != record.email.canonical() {
            self.notify_old_address(redemption, tx)?;
        }
        Ok(verified)
    }

    /// Restores the former address. Undo tokens of earlier changes stay valid: one may belong to the
    /// original owner, who needs it if an attacker executes this undo. Identities and passkeys are removed,
    /// because the person who changed the address may have set them up. Second factors stay: otherwise a thief
    /// of the former mailbox could bypass them.
    fn undo(&self, redemption: &Redemption<'_>, tx: &mut dyn Tx) -> Result<EmailVerified, VerifyEmailError> {
        let Redemption { record, owner: Owner { user, .. }, session_end, .. } = redemption;
        self.set_address(redemption, tx)?;
        let mut verified = redemption.outcome(record.email.clone(), false);
        verified.sessions_ended = tx.sessions().end_all(user.id, &KeepSessions::default(), session_end)?;
        remove_sign_in_methods(&redemption.notified().user, (&self.outbox, &redemption.cause), tx)?;
        tx.one_time_tokens().delete_superseded(record)?;
        Ok(verified)
    }

    /// Sets the token's address as the account's.
    fn set_address(&self, redemption: &Redemption<'_>, tx: &mut dyn Tx) -> Result<(), VerifyEmailError> {
        let Redemption { record, owner: Owner { user, .. }, session_end, .. } = redemption;
        match tx.users().change_email(user.id, &user.email, &record.email, session_end.at)? {
            EmailChange::Changed => Ok(()),
            EmailChange::Outdated => Err(VerifyEmailReason::from(RedeemReason::Invalid).into()),
            EmailChange::Taken => Err(VerifyEmailReason::EmailTaken.into()),
        }
    }

    /// Stores the undo token with the change, which reserves the old address before its notice is sent.
    /// An address that was never verified gets no undo token: its owner may register it, and an
    /// attacker must not reserve it.
    fn notify_old_address(&self, redemption: &Redemption<'_>, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let Redemption { found, owner, cause, .. } = redemption;
        if found.email_verified_at.is_none() {
            return Ok(());
        }
        let Some(order) = self.outbox.new_notice(Occasion::EmailChanged, &owner.user, cause) else { return Ok(()) };
        let token = self.tokens.token(&order.seed);
        let undo = self.tokens.record(&token, Purpose::UndoEmailChange, (owner, &owner.user.email), cause.at);
        tx.one_time_tokens().upsert(&undo)?;
        tx.outbox().enqueue(&order)
    }

    fn offer_reset(
        &self,
        owner: &Owner,
        email: &EmailAddress,
        cause: &MailCause<'_>,
        tx: &mut dyn Tx,
    ) -> Result<OneTimeToken, StoreError> {
        let token = self.tokens.token(&self.tokens.seed());
        // The token is bound to the address as spelled in the account.
        let kept = tx.users().find(owner.user.id)?.map_or_else(|| email.clone(), |user| user.email);
        let record = self.tokens.record(&token, Purpose::ResetPassword, (owner, &kept), cause.at);
        tx.one_time_tokens().upsert(&record)?;
        Ok(token)
    }
}

impl Redemption<'_> {
    /// Returns the account with the verified address, which notices are sent to.
    fn notified(&self) -> Owner {
        let mut owner = self.owner.clone();
        owner.user.email = self.record.email.clone();
        owner
    }

    fn outcome(&self, email: EmailAddress, first: bool) -> EmailVerified {
        let (purpose, password_removed) = (self.record.purpose, self.password_removed);
        EmailVerified { purpose, email, first, sessions_ended: 0, password_removed, reset: None }
    }
}

pub(super) fn is_of_an_address(purpose: Purpose) -> bool {
    purpose != Purpose::ResetPassword
}
