//! Tells what a one-time token is good for. Consumes nothing: mail scanners open every link.

use super::proof::is_signed_in;
use super::{OneTimeTokens, RedeemError};
use crate::failure::DependencyError;
use crate::limits::DeviceCookies;
use portcullis_domain::verification::{OneTimeToken, Purpose};
use portcullis_ports::{Clock, Store, StoreExt};
use std::sync::Arc;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspected {
    /// Its purpose.
    pub purpose: Purpose,
    /// Whether the password stays only if it is entered: the browser does not prove it.
    pub asks_password: bool,
}

/// Inspects a one-time token.
pub struct InspectToken {
    /// Where tokens are kept.
    pub store: Arc<dyn Store>,
    /// What knows them.
    pub tokens: Arc<OneTimeTokens>,
    /// What knows devices.
    pub devices: Arc<DeviceCookies>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl InspectToken {
    /// Returns what the token is for, or `None` if it is worth nothing. `device` is the cookie of
    /// the browser that opened the link. Reads only.
    ///
    /// # Errors
    /// [`DependencyError`].
    pub fn run(&self, token: &OneTimeToken, device: Option<&str>) -> Result<Option<Inspected>, DependencyError> {
        let now = self.clock.now();
        let inspected: Result<Inspected, RedeemError> = self.store.read(|tx| {
            let (record, user) = self.tokens.find_valid(token, now, tx)?;
            let claims = record.claims(&user);
            let known = match device {
                Some(cookie) if claims => is_signed_in(&self.devices, cookie, &user, tx)?,
                _ => false,
            };
            Ok(Inspected { purpose: record.purpose, asks_password: claims && !known })
        });
        match inspected {
            Ok(inspected) => Ok(Some(inspected)),
            Err(RedeemError::Failed(error)) => Err(error.into()),
            Err(RedeemError::Invalid | RedeemError::Expired) => Ok(None),
        }
    }
}
