//! Who takes part, and in what circumstances.

use crate::database::{Flaw, Isolation};
use crate::replay::Request;
use crate::rows::{ANOTHER, MODELLED, Seconds, Token};
use portcullis_domain::tokens::RefreshPolicy;

/// Who a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A process of the owner, who keeps the newest pair in one place for all of them, and shows
    /// each token with a key of its own.
    Owner,
    /// The same without keys.
    Keyless,
    /// Whoever copies the owner's token at some time, and shows what he has with no key.
    Thief,
    /// The same with a key of his own.
    KeyedThief,
    /// The owner, who ends the session in one of these ways, or others.
    Ender(&'static [End]),
}

/// How a session is ended, or another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    LogOut,
    LogOutAll,
    Revoke,
    /// A change of the password in this session: all others end.
    ChangeHere,
    /// A change of the password in another session: this one ends.
    ChangeElsewhere,
    /// A new password for one that was forgotten: all end.
    Reset,
}

/// What is explored.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) isolation: Isolation,
    pub(crate) policy: RefreshPolicy,
    /// Each with how many requests it makes at most.
    pub(crate) clients: Vec<(Role, u8)>,
    /// How often an answer is lost, a request dies, or a batch fails for another's row.
    pub(crate) faults: u8,
    /// How often time passes.
    pub(crate) waits: u8,
    /// Whether a process of the owner that was given a pair again waits with its next refresh for
    /// those that show the token from before the grace still.
    pub(crate) orderly: bool,
    pub(crate) flaw: Flaw,
}

/// Past the overlap and within the grace, or past both.
pub(crate) const WAITS: [Seconds; 2] = [6, 11];

impl End {
    pub(crate) fn request(self, jar: Token) -> Request {
        match self {
            Self::LogOut => Request::LogOut { token: jar },
            Self::LogOutAll => Request::LogOutAll { bearer: MODELLED },
            Self::Revoke => Request::Revoke { bearer: ANOTHER },
            Self::ChangeHere => Request::ChangePassword { bearer: MODELLED },
            Self::ChangeElsewhere => Request::ChangePassword { bearer: ANOTHER },
            Self::Reset => Request::ResetPassword,
        }
    }
}
