//! Tells what a one-time token is good for. Consumes nothing: mail scanners open every link.

use super::{OneTimeTokens, Worthless};
use crate::failure::Failure;
use portcullis_domain::verification::{OneTimeToken, Purpose};
use portcullis_ports::{Clock, Store, StoreExt};
use std::sync::Arc;

/// The verb.
pub struct InspectToken {
    /// Where tokens are kept.
    pub store: Arc<dyn Store>,
    /// What knows them.
    pub tokens: Arc<OneTimeTokens>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl InspectToken {
    /// What the token is good for, if it is good for anything. Reads only.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn run(&self, token: &OneTimeToken) -> Result<Option<Purpose>, Failure> {
        let now = self.clock.now();
        match self.store.read(|tx| self.tokens.look(token, now, tx)) {
            Ok((grant, _)) => Ok(Some(grant.purpose)),
            Err(Worthless::Failed(error)) => Err(error.into()),
            Err(Worthless::Invalid | Worthless::Expired) => Ok(None),
        }
    }
}
