//! Inspects one-time tokens without consuming them, because mail scanners open every link.

use super::proof::signed_in_device;
use super::{OneTimeTokens, RedeemError};
use crate::failure::DependencyError;
use crate::limits::DeviceCookies;
use portcullis_domain::verification::{OneTimeToken, Purpose};
use portcullis_ports::{Clock, Store, StoreExt};
use std::sync::Arc;

/// Facts about a valid token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspected {
    /// Purpose of the token.
    pub purpose: Purpose,
    /// `true` if the user must enter the password to keep it, because the browser does not prove that
    /// it is the owner's.
    pub asks_password: bool,
}

/// Inspects a one-time token.
pub struct InspectToken {
    /// Store of tokens.
    pub store: Arc<dyn Store>,
    /// One-time tokens.
    pub tokens: Arc<OneTimeTokens>,
    /// Known devices.
    pub devices: Arc<DeviceCookies>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl InspectToken {
    /// Returns the purpose of the token, or `None` if it is invalid or expired. `device` is the cookie
    /// of the browser that opened the link. Only reads.
    pub fn run(&self, token: &OneTimeToken, device: Option<&str>) -> Result<Option<Inspected>, DependencyError> {
        let now = self.clock.now();
        let inspected: Result<Inspected, RedeemError> = self.store.read(|tx| {
            let (record, owner) = self.tokens.find_valid(token, now, tx)?;
            let claims = record.claims(&owner.user);
            let known = match device {
                Some(cookie) if claims => signed_in_device(&self.devices, cookie, &owner, tx)?.is_some(),
                _ => false,
            };
            Ok(Inspected { purpose: record.purpose, asks_password: claims && !known })
        });
        match inspected {
            Ok(inspected) => Ok(Some(inspected)),
            Err(RedeemError::Failed(error)) => Err(error.into()),
            Err(RedeemError::Refused(_)) => Ok(None),
        }
    }
}
