//! Tells whose an access token is. Asks the store, so that an account switched off is refused
//! at once and not at the token's end. What needs the store is one step of its own, so that
//! those who come at one time can be looked up together.

use super::TokenError;
use portcullis_domain::registration::{User, UserId};
use portcullis_ports::{Clock, Store, StoreError, StoreExt, TokenVerifier};
use std::sync::Arc;

/// The account that the token speaks for.
#[derive(Debug)]
pub struct Authenticated(pub User);

/// A token that is genuine: whose account is to be looked up.
#[derive(Debug, Clone, Copy)]
pub struct Inquiry(UserId);

/// What the store knows of an [`Inquiry`]'s account.
#[derive(Debug)]
pub struct LookedUp(Result<Option<User>, StoreError>);

/// The verb.
pub struct Authenticate {
    /// Where accounts are kept.
    pub store: Arc<dyn Store>,
    /// What reads the token.
    pub verifier: Arc<dyn TokenVerifier>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Authenticate {
    /// Finds the account of an access token.
    ///
    /// The same as [`read`](Self::read), [`look_up`](Self::look_up) and [`LookedUp::decide`].
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn run(&self, access_token: &str) -> Result<Authenticated, TokenError> {
        self.find(self.read(access_token)?).decide()
    }

    /// Reads the token. Asks no store and never waits.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read(&self, access_token: &str) -> Result<Inquiry, TokenError> {
        let now = self.clock.now();
        Ok(Inquiry(self.verifier.verify(access_token, now)?.into_access(now)?.user_id))
    }

    /// Looks up the accounts, all at once; each in the order of the inquiries.
    #[must_use]
    pub fn look_up(&self, inquiries: &[Inquiry]) -> Vec<LookedUp> {
        if let [alone] = inquiries {
            return vec![self.find(*alone)];
        }
        let mut ids: Vec<_> = inquiries.iter().map(|inquiry| inquiry.0).collect();
        ids.sort_unstable();
        ids.dedup();
        match self.store.read(|tx| tx.users().find_all(&ids)) {
            Ok(mut users) => {
                users.sort_unstable_by_key(|user| user.id);
                let found = |id| users.binary_search_by_key(&id, |user| user.id).ok().and_then(|at| users.get(at));
                inquiries.iter().map(|inquiry| LookedUp(Ok(found(inquiry.0).cloned()))).collect()
            }
            // One damaged row is one caller's trouble.
            Err(StoreError::Corrupt { .. } | StoreError::Failed(_)) => {
                inquiries.iter().map(|inquiry| self.find(*inquiry)).collect()
            }
            Err(gone) => inquiries.iter().map(|_| LookedUp(Err(gone.clone()))).collect(),
        }
    }

    fn find(&self, inquiry: Inquiry) -> LookedUp {
        LookedUp(self.store.read(|tx| tx.users().find(inquiry.0)))
    }
}

impl LookedUp {
    /// Whether the account may act.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn decide(self) -> Result<Authenticated, TokenError> {
        let user = self.0?.ok_or(TokenError::Invalid)?;
        if user.is_active { Ok(Authenticated(user)) } else { Err(TokenError::Revoked) }
    }
}
