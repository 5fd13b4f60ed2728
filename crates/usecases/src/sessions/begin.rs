//! Begins sessions, and only this module does. If the credentials change during the login, no session
//! begins.

use crate::caller::Caller;
use crate::failure::DependencyError;
use crate::limits::{Admission, DeviceCookies};
use crate::login::LoggedIn;
use crate::mail::{MailCause, Outbox};
use crate::tokens::TokenFactory;
use crate::{LOG, SECURITY_LOG};
use portcullis_domain::limits::DeviceId;
use portcullis_domain::login::{self, Authentication, Methods, Owner};
use portcullis_domain::mail::{NewMail, Occasion};
use portcullis_domain::registration::{EmailAddress, User};
use portcullis_domain::sessions::{
    ClientInfo, EndReason, EventKind, Session, SessionEnd, SessionEvent, SessionId, SessionPolicy,
};
use portcullis_domain::tokens::{CarriedClaims, RefreshToken};
use portcullis_ports::{Clock, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// Maximum number of sessions that one login evicts, so that it does not block the writer for long. An
/// adopted account may have more excess sessions; the next login evicts further ones.
const MAX_EVICTED: u32 = 100;

/// Assumed maximum number of concurrent logins of one account. An account that is further below its
/// session limit needs no lock.
const MAX_CONCURRENT_LOGINS: u32 = 64;

/// Maximum number of earlier sessions compared to decide whether a device is new.
const MAX_KNOWN_SESSIONS: u32 = 1_000;

/// Begins the session of an owner who has logged in.
pub struct BeginSession {
    /// Store of sessions and tokens.
    pub store: Arc<dyn Store>,
    /// Token factory.
    pub issuance: Arc<TokenFactory>,
    /// Maximum age and number of sessions.
    pub sessions: SessionPolicy,
    /// Known devices.
    pub devices: Arc<DeviceCookies>,
    /// Outbox for notices to the owner.
    pub outbox: Arc<Outbox>,
    /// `true` if the tokens of every session say how its user was authenticated, `false` for those of
    /// sessions that began with more than a password.
    pub always_claims: bool,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

/// An owner who has proved themselves, on the way to a session.
pub(crate) struct Entry<'a> {
    /// The owner, as read.
    pub(crate) owner: &'a Owner,
    /// Email that the caller typed, which the device cookie is bound to.
    pub(crate) email: &'a EmailAddress,
    /// How they proved themselves.
    pub(crate) methods: Methods,
    /// Id of the session to begin.
    pub(crate) session_id: SessionId,
    /// Device of the caller.
    pub(crate) device: DeviceId,
    /// `true` if the account knows the device.
    pub(crate) is_known: bool,
    /// Session of the account pages that the new one continues, with its authentication, device and source.
    pub(crate) page: Option<&'a Session>,
    /// `true` to lock the account before any check: two requests may begin the session, or use up the last
    /// recovery code.
    pub(crate) needs_lock: bool,
    pub(crate) caller: &'a Caller,
    pub(crate) admission: &'a Admission,
}

/// Uses up what the owner presented, in the transaction that begins the session and before the session is
/// written. Returns `false` if it was used up before; then no session begins.
pub(crate) type Uses<'a> = &'a mut dyn FnMut(&mut dyn Tx) -> Result<bool, StoreError>;

/// A session to be stored.
struct NewSession<'a> {
    owner: &'a Owner,
    session: Session,
    token: RefreshToken,
    client: &'a ClientInfo,
    notices: Vec<NewMail>,
    /// Session of the account pages that it continues.
    page: Option<SessionId>,
}

/// Reason why no session began. Nothing was written.
enum BeginSessionError {
    /// The account's credentials have changed since they were read, the account is disabled or does not
    /// exist, or what was presented was used up before.
    Outdated,
    Failed(StoreError),
}

impl From<StoreError> for BeginSessionError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl BeginSession {
    /// Begins a session. Returns `None` if the account changed since it was read, or if `uses` returns
    /// `false`.
    pub(crate) fn run(&self, entry: &Entry<'_>, uses: Uses<'_>) -> Result<Option<LoggedIn>, DependencyError> {
        let Entry { owner, email, device, is_known, caller, admission, .. } = *entry;
        let (user, now) = (&owner.user, self.clock.now());
        let continued = entry.page.and_then(|page| page.authentication);
        let authentication = continued.unwrap_or_else(|| Authentication::new(entry.methods, now));
        let claims = self.always_claims || continued.is_some() || !authentication.is_password_alone();
        let claimed = Some(authentication).filter(|_| claims);
        let carried = CarriedClaims { authentication: claimed, forget: caller.forget };
        let (session, token, pair) = self.issuance.issue_first(entry.session_id, user.id, carried, now)?;
        let (device_hash, source) = match entry.page {
            Some(page) => (page.device, page.source),
            None => {
                let source = caller.source().map(|source| self.devices.source_hash(owner, source));
                (Some(self.devices.hash(user.id, device)), source)
            }
        };
        let session = session.with_device(device_hash).with_source(source).with_authentication(authentication);
        let cause = caller.cause(now);
        let failures = suspicious_failures(admission);
        let new_device = if is_known { None } else { self.notice(user, &cause)? };
        let notices: Vec<_> = new_device.into_iter().chain(failures.and_then(|_| self.warning(user, &cause))).collect();
        let tells = !notices.is_empty();
        let page = entry.page.map(|page| page.id);
        let new = NewSession { owner, session, token, client: &caller.client, notices, page };
        match self.store.write(|tx| self.begin(&new, entry.needs_lock, &mut *uses, tx)) {
            Ok(()) => {}
            Err(BeginSessionError::Outdated) => return Ok(None),
            Err(BeginSessionError::Failed(error)) => return Err(error.into()),
        }
        if tells {
            self.outbox.notify_worker();
        }
        let client = caller.client.ip_address.map(tracing::field::display);
        tracing::info!(target: LOG, user_id = user.id.get(), client, "User authenticated");
        if let Some(failures) = failures {
            let client = caller.client.ip_address.map(tracing::field::display);
            tracing::warn!(target: SECURITY_LOG, user_id = user.id.get(), client, failures, "Login after failed tries");
        }
        let cookie = self.devices.cookie(device, email, owner.credentials.hash());
        Ok(Some(LoggedIn { user_id: user.id, session_id: entry.session_id, pair, cookie, recovery_codes: None }))
    }

    /// Begins a session with its first token. First ends the least recently used sessions if the
    /// account would have too many.
    fn begin(
        &self,
        new: &NewSession<'_>,
        needs_lock: bool,
        uses: Uses<'_>,
        tx: &mut dyn Tx,
    ) -> Result<(), BeginSessionError> {
        let NewSession { owner, session, token, client, notices, page } = new;
        if needs_lock {
            tx.sessions().lock_account(owner.user.id)?;
            // Begun by another request with the same challenge.
            if tx.sessions().find(session.id)?.is_some() {
                return Err(BeginSessionError::Outdated);
            }
        }
        // Before it may have to make room for its own successor.
        if let Some(page) = *page
            && tx.sessions().find(page)?.is_none_or(|page| page.ended_at.is_some())
        {
            return Err(BeginSessionError::Outdated);
        }
        self.make_room(session, client, tx)?;
        if !tx.credentials().still_current(owner.user.id, &owner.credentials)? || !uses(tx)? {
            return Err(BeginSessionError::Outdated);
        }
        let event = SessionEvent { at: session.started_at, kind: EventKind::LogIn, client: (*client).clone() };
        tx.sessions().begin(session, client)?;
        tx.sessions().record(session.id, &event)?;
        tx.refresh_tokens().insert(token)?;
        notices.iter().try_for_each(|notice| Ok(tx.outbox().enqueue(notice)?))
    }

    /// Evicts sessions above the limit. Locks the account only if concurrent logins could exceed it.
    fn make_room(&self, newest: &Session, client: &ClientInfo, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let (user_id, at) = (newest.user_id, newest.started_at);
        let session_cutoff = self.sessions.max_age_cutoff(at);
        let others = u32::try_from(self.sessions.max_per_user).unwrap_or(u32::MAX).saturating_sub(1);
        let few = others.saturating_sub(MAX_CONCURRENT_LOGINS);
        if few > 0 && tx.sessions().count(user_id, session_cutoff, few + 1)? <= few {
            return Ok(());
        }
        tx.sessions().lock_account(user_id)?;
        let too_many =
            tx.sessions().count(user_id, session_cutoff, others.saturating_add(MAX_EVICTED))?.saturating_sub(others);
        if too_many == 0 {
            return Ok(());
        }
        let session_end = SessionEnd { at, reason: EndReason::Evicted, client: client.clone() };
        for id in tx.sessions().least_recently_used(user_id, session_cutoff, too_many)? {
            tx.sessions().end(id, &session_end)?;
        }
        Ok(())
    }

    /// Creates a notice of a new device, if the email is verified and the account has earlier sessions
    /// from other clients only.
    fn notice(&self, user: &User, cause: &MailCause<'_>) -> Result<Option<NewMail>, StoreError> {
        if user.email_verified_at.is_none() || !self.outbox.notices.include(Occasion::NewDevice) {
            return Ok(None);
        }
        let origins = self.store.read(|tx| tx.sessions().recent_clients(user.id, MAX_KNOWN_SESSIONS))?;
        let is_new = !origins.is_empty() && !origins.iter().any(|client| client.is_similar_to(cause.client));
        Ok(if is_new { self.outbox.new_notice(Occasion::NewDevice, user, cause) } else { None })
    }

    /// Creates a notice of a login after many failures, if the email is verified. Only failures of the
    /// budget that the login was charged to count, so an attacker's guesses on other devices cause no
    /// email when the owner logs in from a known device.
    fn warning(&self, user: &User, cause: &MailCause<'_>) -> Option<NewMail> {
        user.email_verified_at?;
        self.outbox.new_notice(Occasion::LoginAfterFailures, user, cause)
    }
}

/// Returns the number of earlier failed attempts, or `None` if it is not suspicious.
fn suspicious_failures(admission: &Admission) -> Option<u32> {
    // A failed limiter must not fail the login.
    let (failures, waited) = admission.failures().unwrap_or_default();
    login::is_suspicious(failures, waited).then_some(failures)
}
