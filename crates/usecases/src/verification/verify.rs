//! Verifies an address: the account's own, the one it is to have, or the one it had.

use super::{OneTimeTokens, Worthless, refuses_tokens};
use crate::LOG;
use crate::failure::{Failure, fails_with};
use crate::limits::Devices;
use crate::mail::{Cause, Post};
use crate::tokens::Authenticated;
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::{Language, Occasion};
use portcullis_domain::registration::{EmailAddress, User};
use portcullis_domain::sessions::{EndReason, Ending, Origin, Spared};
use portcullis_domain::verification::{Grant, OneTimeToken, Purpose};
use portcullis_ports::{Clock, EmailChange, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// The browser that shows a token. Sessions of its own are spared where others end, if they are
/// of the same account.
#[derive(Debug, Default)]
pub struct Browser {
    /// Who is signed in there, if anybody is.
    pub bearer: Option<Authenticated>,
    /// The cookie of the device, if it showed one.
    pub device: Option<String>,
}

/// The token that a mail brought to its address.
#[derive(Debug)]
pub struct EmailVerification {
    /// The token.
    pub token: OneTimeToken,
    /// Who shows it.
    pub browser: Browser,
    /// From where.
    pub origin: Origin,
    /// In which language its owner is written to.
    pub language: Language,
}

/// The address is its owner's.
#[derive(Debug)]
pub struct EmailVerified {
    /// What the token was for.
    pub purpose: Purpose,
    /// The address that the account has now.
    pub email: EmailAddress,
    /// Whether it is the first address of the account that anybody verified.
    pub first: bool,
    /// How many sessions were ended.
    pub sessions_ended: u64,
    /// For a new password, where somebody else may know the one that there is: who set it had not
    /// shown that the address is theirs, or had changed the address.
    pub reset: Option<OneTimeToken>,
}

/// Why nothing was verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyEmailError {
    /// The token is unknown, used, replaced, revoked, or for something else.
    #[error("Invalid token")]
    Invalid,
    /// The token is past its time.
    #[error("Token has expired")]
    Expired,
    /// Another account has the address by now, or may take it back.
    #[error("Email already registered")]
    EmailTaken,
    /// A dependency failed.
    #[error(transparent)]
    Failed(Failure),
}

fails_with!(VerifyEmailError: StoreError);
refuses_tokens!(VerifyEmailError);

impl VerifyEmailError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid => ErrorCode::TokenInvalid,
            Self::Expired => ErrorCode::TokenExpired,
            Self::EmailTaken => ErrorCode::Conflict,
            Self::Failed(failure) => failure.code(),
        }
    }
}

/// The verb.
pub struct VerifyEmail {
    /// Where accounts and tokens are kept.
    pub store: Arc<dyn Store>,
    /// What knows tokens.
    pub tokens: Arc<OneTimeTokens>,
    /// What knows devices.
    pub devices: Arc<Devices>,
    /// Who tells the owner.
    pub post: Arc<Post>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A transaction under way, for one token.
struct Redemption<'a> {
    grant: Grant,
    user: User,
    spared: Spared,
    ending: Ending,
    cause: Cause<'a>,
}

impl VerifyEmail {
    /// Uses the token up and does what it is for. Of any number of callers with one token exactly
    /// one succeeds.
    ///
    /// # Errors
    /// [`VerifyEmailError`].
    pub fn run(&self, input: &EmailVerification) -> Result<EmailVerified, VerifyEmailError> {
        let now = self.clock.now();
        // A look first: who guesses at tokens holds up nobody who writes.
        self.store.read(|tx| Worthless::unless_for(self.tokens.look(&input.token, now, tx)?, is_of_an_address))?;
        let verified = self.store.write(|tx| {
            let redeemed = self.tokens.redeem(&input.token, now, tx)?;
            let (grant, user) = Worthless::unless_for(redeemed, is_of_an_address)?;
            let ending = Ending { at: now, reason: EndReason::EmailChanged, origin: input.origin.clone() };
            let cause = Cause { language: input.language, origin: &input.origin, at: now };
            let spared = self.spared(&input.browser, &user);
            self.carry_out(&Redemption { grant, user, spared, ending, cause }, tx)
        })?;
        if verified.purpose == Purpose::ChangeEmail {
            self.post.ring();
        }
        Ok(verified)
    }

    fn carry_out(&self, redemption: &Redemption<'_>, tx: &mut dyn Tx) -> Result<EmailVerified, VerifyEmailError> {
        let Redemption { grant, user, .. } = redemption;
        let (user_id, purpose) = (user.id.get(), grant.purpose.as_str());
        let verified = match grant.purpose {
            Purpose::VerifyEmail => self.verify(redemption, tx)?,
            Purpose::ChangeEmail => self.change(redemption, tx)?,
            Purpose::UndoEmailChange => self.undo(redemption, tx)?,
            Purpose::ResetPassword => return Err(VerifyEmailError::Invalid),
        };
        tracing::info!(target: LOG, user_id, purpose, sessions = verified.sessions_ended, "Email verified");
        Ok(verified)
    }

    /// Whoever set the account up before may be a stranger, who knows its password and has
    /// sessions of it: at the first verification those end (account pre-hijacking).
    fn verify(&self, redemption: &Redemption<'_>, tx: &mut dyn Tx) -> Result<EmailVerified, VerifyEmailError> {
        let Redemption { grant, user, spared, ending, .. } = redemption;
        let first = tx.users().verify_email(user.id, &user.email, ending.at)?;
        let mut verified = told(grant, user.email.clone(), first);
        if first {
            let ending = Ending { reason: EndReason::EmailVerified, ..ending.clone() };
            verified.sessions_ended = tx.sessions().end_all(user.id, spared, &ending)?;
            tx.one_time_tokens().forget(user.id)?;
            verified.reset = Some(self.offer_reset(user, &user.email, &redemption.cause, tx)?);
        }
        Ok(verified)
    }

    fn change(&self, redemption: &Redemption<'_>, tx: &mut dyn Tx) -> Result<EmailVerified, VerifyEmailError> {
        let Redemption { grant, user, spared, ending, .. } = redemption;
        let first = user.email_verified_at.is_none();
        self.give(redemption, tx)?;
        // After the change: an address that somebody left a moment ago is seen as reserved.
        let holder = tx.one_time_tokens().holder_of(&grant.email, ending.at)?;
        if holder.is_some_and(|holder| holder != user.id) {
            return Err(VerifyEmailError::EmailTaken);
        }
        let mut verified = told(grant, grant.email.clone(), first);
        verified.sessions_ended = tx.sessions().end_all(user.id, spared, ending)?;
        tx.one_time_tokens().revoke(user.id)?;
        if first {
            verified.reset = Some(self.offer_reset(user, &grant.email, &redemption.cause, tx)?);
        }
        if user.email.canonical() != grant.email.canonical() {
            self.tell_the_old_address(user, &redemption.cause, tx)?;
        }
        Ok(verified)
    }

    /// Gives the account back. An undo of an earlier change stays: it may be that of the first
    /// owner, against whoever undoes this one.
    fn undo(&self, redemption: &Redemption<'_>, tx: &mut dyn Tx) -> Result<EmailVerified, VerifyEmailError> {
        let Redemption { grant, user, ending, .. } = redemption;
        self.give(redemption, tx)?;
        let mut verified = told(grant, grant.email.clone(), false);
        verified.sessions_ended = tx.sessions().end_all(user.id, &Spared::default(), ending)?;
        tx.one_time_tokens().supersede(grant)?;
        verified.reset = Some(self.offer_reset(user, &grant.email, &redemption.cause, tx)?);
        Ok(verified)
    }

    /// Makes the token's address the account's.
    fn give(&self, redemption: &Redemption<'_>, tx: &mut dyn Tx) -> Result<(), VerifyEmailError> {
        let Redemption { grant, user, ending, .. } = redemption;
        match tx.users().change_email(user.id, &user.email, &grant.email, ending.at)? {
            EmailChange::Changed => Ok(()),
            EmailChange::Outdated => Err(VerifyEmailError::Invalid),
            EmailChange::Taken => Err(VerifyEmailError::EmailTaken),
        }
    }

    /// The way back is there from the moment of the change: until its mail comes, nobody else
    /// gets the address.
    fn tell_the_old_address(&self, user: &User, cause: &Cause<'_>, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let Some(order) = self.post.notice(Occasion::EmailChanged, user, cause) else { return Ok(()) };
        let token = self.tokens.token(&order.seed);
        let undo = self.tokens.grant(&token, Purpose::UndoEmailChange, (user, &user.email), cause.at);
        tx.one_time_tokens().replace(&undo)?;
        tx.outbox().enqueue(&order)
    }

    fn offer_reset(
        &self,
        user: &User,
        email: &EmailAddress,
        cause: &Cause<'_>,
        tx: &mut dyn Tx,
    ) -> Result<OneTimeToken, StoreError> {
        let token = self.tokens.token(&self.tokens.seed());
        // Bound to the address in the spelling that the account has it in.
        let kept = tx.users().find(user.id)?.map_or_else(|| email.clone(), |user| user.email);
        let grant = self.tokens.grant(&token, Purpose::ResetPassword, (user, &kept), cause.at);
        tx.one_time_tokens().replace(&grant)?;
        Ok(token)
    }

    fn spared(&self, browser: &Browser, user: &User) -> Spared {
        let own = browser.bearer.as_ref().filter(|bearer| bearer.user.id == user.id);
        let device = browser.device.as_deref().and_then(|cookie| self.devices.recognise(cookie, &user.email));
        Spared {
            session: own.and_then(|bearer| bearer.session_id),
            device: device.map(|device| self.devices.mark(user.id, device)),
        }
    }
}

fn told(grant: &Grant, email: EmailAddress, first: bool) -> EmailVerified {
    EmailVerified { purpose: grant.purpose, email, first, sessions_ended: 0, reset: None }
}

fn is_of_an_address(purpose: Purpose) -> bool {
    purpose != Purpose::ResetPassword
}
