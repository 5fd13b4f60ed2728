//! Shows one account to operators: its ways to sign in and its sessions.

use super::{AccountError, AccountReason};
use crate::sessions::{ListSessions, SessionsListed};
use portcullis_domain::login::Owner;
use portcullis_domain::mfa::TotpFactor;
use portcullis_domain::passkeys::Passkey;
use portcullis_domain::providers::Identity;
use portcullis_domain::registration::UserId;
use portcullis_ports::{StoreError, StoreExt};

/// An account and its ways to sign in.
#[derive(Debug)]
pub struct AccountDetails {
    /// The account.
    pub owner: Owner,
    /// Confirmed authenticator apps, oldest first.
    pub totp: Vec<TotpFactor>,
    /// Number of unused recovery codes.
    pub recovery_codes: u32,
    /// Number of devices that need no second factor.
    pub trusted_devices: usize,
    /// Passkeys, oldest first.
    pub passkeys: Vec<Passkey>,
    /// Linked identities, oldest first.
    pub identities: Vec<Identity>,
    /// Number of active sessions, up to 1000.
    pub sessions: usize,
}

/// Shows one account.
pub struct ShowAccount {
    /// Lists the sessions.
    pub sessions: ListSessions,
}

impl ShowAccount {
    /// Returns the account, active or not.
    ///
    /// # Errors
    /// Returns [`AccountReason::NotFound`] if it does not exist.
    pub fn run(&self, user_id: UserId) -> Result<AccountDetails, AccountError> {
        let ListSessions { store, clock, .. } = &self.sessions;
        let SessionsListed(sessions) = self.sessions.for_user(user_id)?;
        let details = store.read(|tx| {
            let Some(owner) = tx.credentials().owner(user_id)? else { return Ok(None) };
            Ok::<_, StoreError>(Some(AccountDetails {
                owner,
                totp: tx.factors().totp(user_id)?.into_iter().filter(TotpFactor::is_confirmed).collect(),
                recovery_codes: tx.factors().recovery_codes_left(user_id)?,
                trusted_devices: tx.factors().trusted_devices(user_id, clock.now())?.len(),
                passkeys: tx.passkeys().list(user_id)?,
                identities: tx.identities().list(user_id)?,
                sessions: sessions.len(),
            }))
        })?;
        details.ok_or_else(|| AccountReason::NotFound.into())
    }
}
