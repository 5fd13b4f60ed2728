//! Tells whose an access token is. Asks the store, so that a session that ended and an account
//! switched off are refused at once and not at the token's end. What needs the store is one step of its own, so that
//! those who come at one time can be looked up together.

use super::TokenError;
use portcullis_domain::registration::User;
use portcullis_domain::sessions::{SessionId, SessionPolicy, SessionState};
use portcullis_ports::{BearerIdentity, Clock, ResolvedBearer, Store, StoreError, StoreExt, TokenVerifier};
use std::sync::Arc;

/// Whom the token speaks for.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The account.
    pub user: User,
    /// The session; none with a token of a program that knows no sessions.
    pub session_id: Option<SessionId>,
}

/// A token that is genuine: whose account and session are to be looked up.
#[derive(Debug, Clone, Copy)]
pub struct BearerLookup(BearerIdentity);

/// What the store knows of an [`BearerLookup`]'s account and session.
#[derive(Debug)]
pub struct BearerLookupResult(Result<Result<Authenticated, BearerRejection>, StoreError>);

/// Why whoever is named may not act.
#[derive(Debug)]
enum BearerRejection {
    Unknown,
    Revoked,
    Expired,
}

/// The verb.
pub struct Authenticate {
    /// Where accounts and sessions are kept.
    pub store: Arc<dyn Store>,
    /// What reads the token.
    pub verifier: Arc<dyn TokenVerifier>,
    /// How long sessions last.
    pub sessions: SessionPolicy,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Authenticate {
    /// Finds the account of an access token.
    ///
    /// The same as [`decode`](Self::decode), [`look_up`](Self::look_up) and [`BearerLookupResult::into_result`].
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn run(&self, access_token: &str) -> Result<Authenticated, TokenError> {
        self.find(self.read(access_token)?).into_result()
    }

    /// Reads the token. Asks no store and never waits.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read(&self, access_token: &str) -> Result<BearerLookup, TokenError> {
        let now = self.clock.now();
        let claims = self.verifier.verify(access_token, now)?.into_access(now)?;
        Ok(BearerLookup(BearerIdentity { user_id: claims.user_id, session_id: claims.session_id }))
    }

    /// Looks up accounts and sessions, all at once; each in the order of the inquiries.
    #[must_use]
    pub fn look_up(&self, inquiries: &[BearerLookup]) -> Vec<BearerLookupResult> {
        if let [alone] = inquiries {
            return vec![self.find(*alone)];
        }
        let mut keys: Vec<_> = inquiries.iter().map(|inquiry| inquiry.0).collect();
        keys.sort_unstable();
        keys.dedup();
        match self.store.read(|tx| tx.sessions().resolve_bearers(&keys)) {
            Ok(found) => {
                let found = |key| keys.binary_search(&key).ok().and_then(|at| found.get(at)?.clone());
                inquiries.iter().map(|inquiry| self.judged(inquiry.0, found(inquiry.0))).collect()
            }
            // One damaged row is one caller's trouble.
            Err(StoreError::Corrupt { .. } | StoreError::Failed(_)) => {
                inquiries.iter().map(|inquiry| self.find(*inquiry)).collect()
            }
            Err(gone) => inquiries.iter().map(|_| BearerLookupResult(Err(gone.clone()))).collect(),
        }
    }

    fn find(&self, inquiry: BearerLookup) -> BearerLookupResult {
        match self.store.read(|tx| tx.sessions().resolve_bearers(&[inquiry.0])) {
            Ok(mut found) => self.judged(inquiry.0, found.pop().flatten()),
            Err(error) => BearerLookupResult(Err(error)),
        }
    }

    fn judged(&self, key: BearerIdentity, found: Option<ResolvedBearer>) -> BearerLookupResult {
        let Some(ResolvedBearer { user, session }) = found else {
            return BearerLookupResult(Ok(Err(BearerRejection::Unknown)));
        };
        let state = session.map_or(SessionState::Ended, |session| self.sessions.state(&session, self.clock.now()));
        BearerLookupResult(Ok(match (user.is_active, key.session_id, state) {
            (false, _, _) | (true, Some(_), SessionState::Ended) => Err(BearerRejection::Revoked),
            (true, Some(_), SessionState::Expired) => Err(BearerRejection::Expired),
            (true, session_id, _) => Ok(Authenticated { user, session_id }),
        }))
    }
}

impl BearerLookupResult {
    /// Whether the account may act.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn into_result(self) -> Result<Authenticated, TokenError> {
        self.0?.map_err(|refusal| match refusal {
            BearerRejection::Unknown => TokenError::Invalid,
            BearerRejection::Revoked => TokenError::Revoked,
            BearerRejection::Expired => TokenError::Expired,
        })
    }
}
