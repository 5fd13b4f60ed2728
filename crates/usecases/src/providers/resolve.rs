//! Finds the account of a person who signed in with a provider, and links, creates or reclaims it as the domain
//! decides.

use super::Provider;
use crate::caller::Caller;
use crate::failure::UseCaseError;
use crate::login::hash_contention;
use crate::mail::Outbox;
use crate::recovery::remove_all_methods;
use crate::{LOG, SECURITY_LOG};
use chrono::{DateTime, Utc};
use portcullis_domain::ErrorCode;
use portcullis_domain::login::{Credentials, Owner};
use portcullis_domain::mail::{NewMail, Occasion};
use portcullis_domain::providers::{Identity, IdentityId, Link, LinkRejection, LinkingFacts, ProviderProfile};
use portcullis_domain::registration::{NewUser, User, UserId};
use portcullis_domain::sessions::{EndReason, KeepSessions, SessionId};
use portcullis_ports::{Clock, Entropy, EntropyExt, PasswordHasher, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// Maximum number of attempts while other requests register the email address or link the identity.
const MAX_ATTEMPTS: usize = 3;

/// Why a person gets no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", match .0 {
    LinkRejection::IdentityTaken => "The identity is linked to another account",
    LinkRejection::OtherAccount => "The identity is not linked to the account that authenticates again",
    LinkRejection::EmailMissing => "The provider reports no email address",
    LinkRejection::AccountExists => "An account has the email address: sign in, then link the identity",
    LinkRejection::SignUpClosed => "The provider may not create accounts",
    LinkRejection::DomainNotAllowed => "The domain is not allowed",
    LinkRejection::AccountDisabled => "The account is disabled",
})]
pub struct NoAccount(pub LinkRejection);

impl crate::Reason for NoAccount {
    fn code(&self) -> ErrorCode {
        match self.0 {
            LinkRejection::AccountExists | LinkRejection::IdentityTaken => ErrorCode::Conflict,
            _ => ErrorCode::Forbidden,
        }
    }
}

/// Finds the accounts of people who signed in with a provider.
pub struct ResolveAccount {
    /// Store of accounts and identities.
    pub store: Arc<dyn Store>,
    /// Creates the hashes of accounts without a password.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Outbox for notices and verification emails.
    pub outbox: Arc<Outbox>,
    /// Random bytes for ids.
    pub entropy: Arc<dyn Entropy>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

/// Someone who signed in with a provider.
pub(super) struct SignedIn<'a> {
    pub(super) provider: &'a Provider,
    pub(super) profile: &'a ProviderProfile,
    /// Account that began the flow to link the identity, and its session.
    pub(super) link_to: Option<(UserId, SessionId)>,
    /// Account that began the flow to authenticate again.
    pub(super) again: Option<UserId>,
    pub(super) caller: &'a Caller,
}

/// Outcome of an attempt.
enum Attempted {
    Done(UserId),
    /// Another request changed what the decision depends on.
    Outdated,
}

/// Rows that the decision depends on.
#[derive(PartialEq, Eq)]
struct Facts {
    /// Without the time of the last sign-in, which concurrent ones change.
    known: Option<(IdentityId, User)>,
    link_to: Option<User>,
    accounts: Vec<User>,
    is_reserved: bool,
}

impl ResolveAccount {
    /// Returns the account of a person. `also` runs in the same transaction, after the account is known.
    pub(super) fn run(
        &self,
        signed_in: &SignedIn<'_>,
        also: &mut dyn FnMut(UserId, &mut dyn Tx) -> Result<(), StoreError>,
    ) -> Result<UserId, UseCaseError<NoAccount>> {
        for _ in 0..MAX_ATTEMPTS {
            let attempted = self.store.write(|tx| {
                let attempted = self.attempt(signed_in, tx)?;
                if let Attempted::Done(user_id) = attempted {
                    also(user_id, tx)?;
                }
                Ok::<_, UseCaseError<NoAccount>>(attempted)
            })?;
            if let Attempted::Done(user_id) = attempted {
                self.outbox.notify_worker();
                return Ok(user_id);
            }
        }
        Err(StoreError::Busy("the account changed during every attempt".to_owned()).into())
    }

    fn attempt(&self, signed_in: &SignedIn<'_>, tx: &mut dyn Tx) -> Result<Attempted, UseCaseError<NoAccount>> {
        let at = self.clock.now();
        let facts = facts(signed_in, at, tx)?;
        let link = decide(signed_in, &facts).map_err(NoAccount)?;
        let Some(user_id) = account(&link) else { return self.sign_up(signed_in, link, at, tx) };
        tx.sessions().lock_account(user_id)?;
        // Read again under the lock: a reset or a verification may have changed the account.
        if crate::providers::resolve::facts(signed_in, at, tx)? != facts {
            return Ok(Attempted::Outdated);
        }
        match (link, &facts.known) {
            (Link::SignIn(_) | Link::AlreadyLinked(_), Some((identity_id, _))) => {
                let email = email_text(signed_in.profile);
                tx.identities().record_use(identity_id, email.as_deref(), at)?;
                return Ok(Attempted::Done(user_id));
            }
            (Link::Reclaim(_), _) => self.reclaim(user_id, signed_in, at, tx)?,
            _ => {}
        }
        self.link(user_id, signed_in, at, tx)
    }

    /// Links the identity to a locked account and notifies its owner.
    fn link(
        &self,
        user_id: UserId,
        signed_in: &SignedIn<'_>,
        at: DateTime<Utc>,
        tx: &mut dyn Tx,
    ) -> Result<Attempted, UseCaseError<NoAccount>> {
        if !tx.identities().insert(&self.identity(user_id, signed_in, at))? {
            return Ok(Attempted::Outdated);
        }
        let owner =
            tx.users().find(user_id)?.ok_or_else(|| StoreError::Failed("the account was deleted".to_owned()))?;
        self.outbox.enqueue_notice(Occasion::IdentityLinked, &owner, &signed_in.caller.cause(at), tx)?;
        let provider = signed_in.provider.name.as_str();
        tracing::info!(target: LOG, user_id = user_id.get(), provider, "Identity linked");
        Ok(Attempted::Done(user_id))
    }

    /// Creates an account without a password, and links the identity to it.
    fn sign_up(
        &self,
        signed_in: &SignedIn<'_>,
        link: Link,
        at: DateTime<Utc>,
        tx: &mut dyn Tx,
    ) -> Result<Attempted, UseCaseError<NoAccount>> {
        let (Link::SignUp { verified }, Some(email)) = (link, &signed_in.profile.email) else {
            return Err(NoAccount(LinkRejection::EmailMissing).into());
        };
        let credentials = Credentials::without_password(self.hasher.placeholder());
        let verified_at = verified.then_some(at);
        let new = NewUser { email: email.clone(), credentials, created_at: at, verified_at };
        let Some(user) = tx.users().insert(&new)? else { return Ok(Attempted::Outdated) };
        // Runs after the insert, which waits for a concurrent change of an account's email away from this one.
        if tx.one_time_tokens().find_reclaimer(&user.email, at)?.is_some() {
            return Err(NoAccount(LinkRejection::AccountExists).into());
        }
        if !tx.identities().insert(&self.identity(user.id, signed_in, at))? {
            return Err(StoreError::Busy("the identity was linked concurrently".to_owned()).into());
        }
        if !verified {
            let password = Some(self.outbox.tokens.version(new.credentials.hash()));
            let cause = signed_in.caller.cause(at);
            let order = self.outbox.new_mail(Occasion::VerifyEmail, Some(user.id), &user.email, &cause);
            tx.outbox().enqueue(&NewMail { password, ..order })?;
        }
        let provider = signed_in.provider.name.as_str();
        tracing::info!(target: LOG, user_id = user.id.get(), provider, "User created");
        Ok(Attempted::Done(user.id))
    }

    /// Removes what someone else may have set up in a locked account, and verifies its email.
    fn reclaim(
        &self,
        user_id: UserId,
        signed_in: &SignedIn<'_>,
        at: DateTime<Utc>,
        tx: &mut dyn Tx,
    ) -> Result<(), StoreError> {
        let caller = signed_in.caller;
        let deleted = || StoreError::Failed("the account was deleted".to_owned());
        let Owner { user, credentials } = tx.credentials().owner(user_id)?.ok_or_else(deleted)?;
        let emptied = credentials.clone().with_password_removed(self.hasher.placeholder());
        if !tx.credentials().replace(user_id, &credentials, &emptied)? {
            return Err(hash_contention());
        }
        let session_end = caller.session_end(EndReason::Reclaimed, at);
        tx.sessions().end_all(user_id, &KeepSessions::default(), &session_end)?;
        tx.one_time_tokens().delete_for_user(user_id)?;
        let owner = Owner { user, credentials: emptied };
        let owner = remove_all_methods(owner, (&self.outbox, &caller.cause(at)), tx)?;
        tx.users().verify_email(user_id, &owner.user.email, at)?;
        let provider = signed_in.provider.name.as_str();
        tracing::warn!(target: SECURITY_LOG, user_id = user_id.get(), provider, "Account reclaimed by its email's owner");
        Ok(())
    }

    fn identity(&self, user_id: UserId, signed_in: &SignedIn<'_>, at: DateTime<Utc>) -> Identity {
        Identity {
            id: IdentityId::from_random(self.entropy.array()),
            user_id,
            key: signed_in.profile.key.clone(),
            provider: signed_in.provider.name.clone(),
            email: email_text(signed_in.profile),
            set_up_by: signed_in.link_to.map(|(_, session)| session),
            created_at: at,
            last_used_at: Some(at),
        }
    }
}

fn email_text(profile: &ProviderProfile) -> Option<String> {
    profile.email.as_ref().map(|email| email.original().to_owned())
}

fn facts(signed_in: &SignedIn<'_>, at: DateTime<Utc>, tx: &mut dyn Tx) -> Result<Facts, StoreError> {
    let identity = tx.identities().find(&signed_in.profile.key)?;
    let known = match identity {
        Some(identity) => tx.users().find(identity.user_id)?.map(|user| (identity.id, user)),
        None => None,
    };
    let link_to = match signed_in.link_to {
        Some((id, _)) => tx.users().find(id)?,
        None => None,
    };
    let (mut accounts, mut is_reserved) = (Vec::new(), false);
    if let Some(email) = &signed_in.profile.email {
        accounts = tx.users().find_by_email(email)?;
        let holder = tx.one_time_tokens().find_reclaimer(email, at)?;
        is_reserved = holder.is_some_and(|holder| !matches!(accounts.as_slice(), [account] if account.id == holder));
    }
    Ok(Facts { known, link_to, accounts, is_reserved })
}

fn decide(signed_in: &SignedIn<'_>, facts: &Facts) -> Result<Link, LinkRejection> {
    if signed_in.link_to.is_some() && facts.link_to.is_none() {
        // The account that began the flow was deleted.
        return Err(LinkRejection::AccountDisabled);
    }
    let facts = LinkingFacts {
        known: facts.known.as_ref().map(|(_, user)| user),
        link_to: facts.link_to.as_ref(),
        again: signed_in.again,
        accounts: &facts.accounts,
        is_reserved: facts.is_reserved,
    };
    signed_in.provider.policy.decide(signed_in.profile, &facts)
}

/// Returns the account of a decision, or `None` for a new one.
fn account(link: &Link) -> Option<UserId> {
    match *link {
        Link::SignIn(id) | Link::AlreadyLinked(id) | Link::LinkTo(id) | Link::LinkByEmail(id) | Link::Reclaim(id) => {
            Some(id)
        }
        Link::SignUp { .. } => None,
    }
}
