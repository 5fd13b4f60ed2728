//! Finds one account, or lists all, for operators.

use super::{AccountError, AccountReason};
use crate::failure::DependencyError;
use portcullis_domain::login;
use portcullis_domain::registration::{EmailAddress, User, UserId};
use portcullis_ports::{Store, StoreError, StoreExt};
use std::sync::Arc;

/// Accounts read per query.
const PAGE: u32 = 500;

/// Reference to an account, as an operator enters it.
#[derive(Debug)]
pub enum AccountRef {
    /// Id of the account.
    Id(UserId),
    /// Email of the account, matched like at login.
    Email(EmailAddress),
}

/// The account that was found.
#[derive(Debug)]
pub struct AccountFound(pub User);

/// Finds one account.
pub struct FindAccount {
    /// Store of accounts.
    pub store: Arc<dyn Store>,
}

impl FindAccount {
    /// Finds the account, active or not.
    pub fn run(&self, name: &AccountRef) -> Result<AccountFound, AccountError> {
        let found = match name {
            AccountRef::Id(id) => self.store.read(|tx| tx.users().find(*id))?,
            AccountRef::Email(email) => {
                let candidates = self.store.read(|tx| tx.users().find_by_email(email))?;
                let ids: Vec<_> = candidates.iter().map(|user| user.id).collect();
                let chosen = login::select_account(candidates, email);
                if chosen.is_none() && !ids.is_empty() {
                    return Err(AccountReason::Ambiguous(ids).into());
                }
                chosen
            }
        };
        found.map(AccountFound).ok_or_else(|| AccountReason::NotFound.into())
    }
}

/// Number of accounts visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountsListed(pub u64);

/// Lists all accounts.
pub struct ListAccounts {
    /// Store of accounts.
    pub store: Arc<dyn Store>,
}

impl ListAccounts {
    /// Calls `visit` for every account in order of id, until it returns false. An account whose row is
    /// corrupt is passed as its error. Keeps one page of accounts in memory at a time. An account that
    /// is created or deleted concurrently may be visited or not.
    pub fn run(
        &self,
        visit: &mut dyn FnMut(Result<&User, &StoreError>) -> bool,
    ) -> Result<AccountsListed, DependencyError> {
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
