//! Authenticates access tokens. Queries the store, so that an ended session and a disabled account are
//! refused at once and not when the token expires. The query is a separate step, so that concurrent
//! lookups can be batched.

use super::TokenError;
use portcullis_domain::login::Authentication;
use portcullis_domain::registration::{PasswordHash, User, UserId};
use portcullis_domain::sessions::{SessionId, SessionPolicy, SessionState};
use portcullis_ports::{BearerIdentity, Clock, ResolvedBearer, Store, StoreError, StoreExt, TokenVerifier};
use std::sync::Arc;

/// Account and session that an access token authenticates.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The account.
    pub user: User,
    /// Hash of its password at that time.
    pub password: PasswordHash,
    /// `true` if the account has a password. If not, the hash is one of random bytes.
    pub has_password: bool,
    /// The session. `None` for a token issued by the FastAPI app.
    pub session_id: Option<SessionId>,
    /// Last authentication of the session's user, if recorded.
    pub authentication: Option<Authentication>,
    /// `true` if the account has a second factor.
    pub second_factor: bool,
    /// `true` if a browser must forget the session's tokens when it closes.
    pub forget: bool,
}

/// A genuine token or cookie whose account and session are still to be looked up.
#[derive(Debug, Clone, Copy)]
pub struct BearerLookup {
    identity: BearerIdentity,
    forget: bool,
}

impl BearerLookup {
    /// Creates the lookup of a session that a signed cookie names.
    pub(crate) const fn for_cookie(user_id: UserId, session_id: SessionId) -> Self {
        Self { identity: BearerIdentity { user_id, session_id: Some(session_id) }, forget: false }
    }
}

/// Result of looking up the account and session of a [`BearerLookup`].
#[derive(Debug)]
pub struct BearerLookupResult(Result<Result<Authenticated, BearerRejection>, StoreError>);

/// Reason why a genuine token is refused.
#[derive(Debug)]
enum BearerRejection {
    Unknown,
    Revoked,
    Expired,
}

/// Authenticates an access token.
pub struct Authenticate {
    /// Store of accounts and sessions.
    pub store: Arc<dyn Store>,
    /// Verifier of access tokens.
    pub verifier: Arc<dyn TokenVerifier>,
    /// Maximum age of sessions.
    pub sessions: SessionPolicy,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl Authenticate {
    /// Authenticates an access token.
    ///
    /// Combines [`read`](Self::read), [`look_up`](Self::look_up) and
    /// [`BearerLookupResult::into_result`].
    pub fn run(&self, access_token: &str) -> Result<Authenticated, TokenError> {
        self.find(self.read(access_token)?).into_result()
    }

    /// Verifies and decodes the token. Does not query the store and never blocks.
    pub fn read(&self, access_token: &str) -> Result<BearerLookup, TokenError> {
        let now = self.clock.now();
        let claims = self.verifier.verify(access_token, now)?.into_access(now)?;
        let identity = BearerIdentity { user_id: claims.user_id, session_id: claims.session_id };
        Ok(BearerLookup { identity, forget: claims.carried.forget })
    }

    /// Looks up accounts and sessions in one query. Results are in the order of `inquiries`.
    #[must_use]
    pub fn look_up(&self, inquiries: &[BearerLookup]) -> Vec<BearerLookupResult> {
        if let [alone] = inquiries {
            return vec![self.find(*alone)];
        }
        let mut keys: Vec<_> = inquiries.iter().map(|inquiry| inquiry.identity).collect();
        keys.sort_unstable();
        keys.dedup();
        match self.store.read(|tx| tx.sessions().resolve_bearers(&keys)) {
            Ok(found) => {
                let found = |key| keys.binary_search(&key).ok().and_then(|at| found.get(at)?.clone());
                inquiries.iter().map(|inquiry| self.judged(*inquiry, found(inquiry.identity))).collect()
            }
            // One corrupt row must fail only its own caller, so each is looked up alone.
            Err(StoreError::Corrupt { .. } | StoreError::Failed(_)) => {
                inquiries.iter().map(|inquiry| self.find(*inquiry)).collect()
            }
            Err(gone) => inquiries.iter().map(|_| BearerLookupResult(Err(gone.clone()))).collect(),
        }
    }

    fn find(&self, inquiry: BearerLookup) -> BearerLookupResult {
        match self.store.read(|tx| tx.sessions().resolve_bearers(&[inquiry.identity])) {
            Ok(mut found) => self.judged(inquiry, found.pop().flatten()),
            Err(error) => BearerLookupResult(Err(error)),
        }
    }

    fn judged(&self, inquiry: BearerLookup, found: Option<ResolvedBearer>) -> BearerLookupResult {
        let BearerLookup { identity, forget } = inquiry;
        let Some(ResolvedBearer { user, password, has_password, second_factor, session }) = found else {
            return BearerLookupResult(Ok(Err(BearerRejection::Unknown)));
        };
        let authentication = session.as_ref().and_then(|session| session.authentication);
        let state = session.map_or(SessionState::Ended, |session| self.sessions.state(&session, self.clock.now()));
        BearerLookupResult(Ok(match (user.is_active, identity.session_id, state) {
            (false, _, _) | (true, Some(_), SessionState::Ended) => Err(BearerRejection::Revoked),
            // A program that knows no second factors issued the token, or began its session.
            (true, _, _) if second_factor && authentication.is_none() => Err(BearerRejection::Revoked),
            (true, Some(_), SessionState::Expired) => Err(BearerRejection::Expired),
            (true, session_id, _) => {
                Ok(Authenticated { user, password, has_password, session_id, authentication, second_factor, forget })
            }
        }))
    }
}

impl BearerLookupResult {
    /// Returns the account and session, or the reason why the token is refused.
    pub fn into_result(self) -> Result<Authenticated, TokenError> {
        self.0?.map_err(|refusal| match refusal {
            BearerRejection::Unknown => TokenError::Invalid,
            BearerRejection::Revoked => TokenError::Revoked,
            BearerRejection::Expired => TokenError::Expired,
        })
    }
}
