//! Finds accounts: the one that an operator names, or all.

use super::AccountError;
use portcullis_domain::login;
use portcullis_domain::registration::{EmailAddress, User, UserId};
use portcullis_ports::{Store, StoreError, StoreExt};
use std::sync::Arc;

/// Accounts that are read at one time.
const PAGE: u32 = 500;

/// What an operator calls an account.
#[derive(Debug)]
pub enum AccountRef {
    /// Its number.
    Id(UserId),
    /// Its address, in the spelling that a login would take.
    Email(EmailAddress),
}

/// The account that was named.
#[derive(Debug)]
pub struct AccountFound(pub User);

/// The verb for one.
pub struct FindAccount {
    /// Where accounts are kept.
    pub store: Arc<dyn Store>,
}

impl FindAccount {
    /// Finds the account, active or not.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn run(&self, name: &AccountRef) -> Result<AccountFound, AccountError> {
        let found = match name {
            AccountRef::Id(id) => self.store.read(|tx| tx.users().find(*id))?,
            AccountRef::Email(email) => {
                let candidates = self.store.read(|tx| tx.users().find_by_email(email))?;
                let ids: Vec<_> = candidates.iter().map(|user| user.id).collect();
                let chosen = login::select_account(candidates, email);
                if chosen.is_none() && !ids.is_empty() {
                    return Err(AccountError::Ambiguous(ids));
                }
                chosen
            }
        };
        found.map(AccountFound).ok_or(AccountError::NotFound)
    }
}

/// How many accounts were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountsListed(pub u64);

/// The verb for all.
pub struct ListAccounts {
    /// Where accounts are kept.
    pub store: Arc<dyn Store>,
}

impl ListAccounts {
    /// Visits every account, in the order of their ids, until `visit` says to stop; an account whose
    /// row cannot be read as its error. Holds a page of them at a time, however many there are; one
    /// that is created or deleted meanwhile may be among them or not.
    ///
    /// # Errors
    /// [`AccountError::Failed`].
    pub fn run(
        &self,
        visit: &mut dyn FnMut(Result<&User, &StoreError>) -> bool,
    ) -> Result<AccountsListed, AccountError> {
        let (mut after, mut told) = (None, 0_u64);
        loop {
            let page = self.store.read(|tx| tx.users().list(after, PAGE))?;
            if page.is_empty() {
                return Ok(AccountsListed(told));
            }
            for row in page {
                after = Some(match &row {
                    Ok(user) => user.id,
                    Err(StoreError::Corrupt { id, .. }) => UserId::new(*id),
                    Err(error) => return Err(error.clone().into()),
                });
                told = told.saturating_add(1);
                if !visit(row.as_ref()) {
                    return Ok(AccountsListed(told));
                }
            }
        }
    }
}
