//! The one gate to a new session: every way in ends here, and passes the same checks in the same order.

use super::password::{LogInError, LogInReason, LoggedIn, refused};
use crate::LOG;
use crate::sessions::{BeginSession, Entry, Uses};
use portcullis_domain::login::{EntryPolicy, EntryRejection, LoginRejection, Methods, Owner, SignIn, Standing};

/// Decides who may begin a session, and begins it.
pub struct Gate {
    /// Conditions of the service.
    pub policy: EntryPolicy,
    /// Begins the session.
    pub beginning: BeginSession,
}

impl Gate {
    /// Returns whether an owner is refused whatever else they show.
    pub(crate) fn refuses(&self, owner: &Owner, methods: Methods) -> bool {
        matches!(self.policy.decide(&owner.into(), methods), SignIn::Refused(_))
    }

    /// Begins a session. Returns `None` if the account changed since it was read, or if `uses` finds
    /// that what was shown is used up.
    pub(crate) fn pass(&self, entry: &Entry<'_>, uses: Uses<'_>) -> Result<Option<LoggedIn>, LogInError> {
        let user_id = entry.owner.user.id;
        match self.policy.decide(&Standing::from(entry.owner), entry.methods) {
            SignIn::Done(_) => Ok(self.beginning.run(entry, uses)?),
            SignIn::Refused(EntryRejection::Inactive) => {
                Err(refused(LoginRejection::Inactive(user_id), entry.caller).into())
            }
            SignIn::Refused(EntryRejection::EmailUnverified) => {
                tracing::warn!(target: LOG, user_id = user_id.get(), "Login refused until the address is verified");
                Err(LogInReason::EmailUnverified.into())
            }
        }
    }
}
