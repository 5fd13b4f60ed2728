//! Clients of a scenario, their requests and its parameters.

use crate::database::{Flaw, Isolation};
use crate::rows::{ANOTHER, Key, MODELLED, Seconds, Sid, Token};
use portcullis_domain::tokens::RefreshPolicy;

/// Role of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A process of the owner. All of them share the newest pair. Sends each token with its own
    /// `Idempotency-Key`.
    Owner,
    /// The same without keys.
    Keyless,
    /// A tab of the owner's browser. All tabs share the cookies, which every response replaces, however late it
    /// arrives, and the key of their device.
    Tab,
    /// An attacker who copies the owner's token at some time and presents stolen tokens without a key.
    Thief,
    /// The same with its own key.
    KeyedThief,
    /// The owner, who ends this session or others in one of these ways.
    Ender(&'static [End]),
}

/// Request of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Request {
    Refresh {
        token: Token,
        key: Option<u8>,
    },
    LogOut {
        token: Token,
    },
    /// Sent with the access token of a session.
    LogOutAll {
        bearer: Sid,
    },
    /// Sent with the access token of a session, which is kept.
    ChangePassword {
        bearer: Sid,
    },
    /// Sent with a token from an email.
    ResetPassword,
    /// Confirms the account's first second factor, with the access token of a session, which is kept.
    ConfirmFactor {
        bearer: Sid,
    },
    /// Removes the account's only second factor, with the access token of a session, which is kept.
    RemoveFactor {
        bearer: Sid,
    },
    /// Revokes the modelled session, with the access token of a session.
    Revoke {
        bearer: Sid,
    },
}

impl Request {
    /// Returns whether the request ends all sessions but the modelled one.
    pub(crate) fn spares(self) -> bool {
        let bearer = match self {
            Self::ChangePassword { bearer } | Self::ConfirmFactor { bearer } | Self::RemoveFactor { bearer } => bearer,
            _ => return false,
        };
        bearer == MODELLED
    }
}

/// Ways to end this session or another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    LogOut,
    LogOutAll,
    Revoke,
    /// A password change in this session: all others end.
    ChangeHere,
    /// A password change in another session: this one ends.
    ChangeElsewhere,
    /// A password reset: all sessions end.
    Reset,
    /// The first second factor, set up in this session: all others end.
    EnrolHere,
    /// The same in another session: this one ends.
    EnrolElsewhere,
    /// The last second factor, removed in this session: all others end.
    RemoveHere,
    /// The same in another session: this one ends.
    RemoveElsewhere,
}

/// A scenario to explore.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) isolation: Isolation,
    pub(crate) policy: RefreshPolicy,
    /// Each client with its maximum number of requests.
    pub(crate) clients: Vec<(Role, u8)>,
    /// Maximum number of faults: lost responses, killed requests, and batches that fail because of
    /// another row.
    pub(crate) faults: u8,
    /// Maximum number of times that time passes.
    pub(crate) waits: u8,
    /// `true` if an owner's process that got a pair again delays its next refresh while another one
    /// presents a token spent longer ago than the grace.
    pub(crate) orderly: bool,
    pub(crate) flaw: Flaw,
}

/// Ends that spare this session.
pub(crate) const SPARING: &[End] = &[End::ChangeHere, End::EnrolHere, End::RemoveHere];

/// Key of the browser's device.
pub(crate) const DEVICE: Key = 100;

/// Seconds past the overlap and within the grace, and past both.
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
            Self::EnrolHere => Request::ConfirmFactor { bearer: MODELLED },
            Self::EnrolElsewhere => Request::ConfirmFactor { bearer: ANOTHER },
            Self::RemoveHere => Request::RemoveFactor { bearer: MODELLED },
            Self::RemoveElsewhere => Request::RemoveFactor { bearer: ANOTHER },
        }
    }
}
