//! Occasions (reasons for an email), and emails to be queued. A queued email contains no usable token:
//! the token is issued when the email is sent.

use super::Language;
use crate::registration::{EmailAddress, UserId};
use crate::sessions::ClientInfo;
use crate::verification::{PasswordVersion, Purpose, TokenSeed};
use chrono::{DateTime, Utc};

/// Reason for an email, which selects its template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Occasion {
    /// The user must verify an email address.
    VerifyEmail,
    /// The user asked for a password reset.
    ResetPassword,
    /// The user must confirm a new email address. Sent to the new address.
    ConfirmEmail,
    /// The email address was changed. Sent to the old address, with a link to undo the change.
    EmailChanged,
    /// The password was changed.
    PasswordChanged,
    /// A login came from a device that the account does not know.
    NewDevice,
    /// A login succeeded after many wrong passwords.
    LoginAfterFailures,
    /// A session was ended because a spent refresh token was presented again.
    SessionTheft,
    /// A second factor was added to the account.
    FactorAdded,
    /// A second factor was removed from the account, by its owner or by an operator.
    FactorRemoved,
    /// A recovery code was used.
    RecoveryCodeUsed,
    /// An identity of a provider was linked to the account.
    IdentityLinked,
    /// An identity of a provider was removed from the account.
    IdentityUnlinked,
    /// A passkey was added to the account.
    PasskeyAdded,
    /// A passkey was removed from the account.
    PasskeyRemoved,
}

impl Occasion {
    /// All occasions.
    pub const ALL: [Self; 15] = [
        Self::VerifyEmail,
        Self::ResetPassword,
        Self::ConfirmEmail,
        Self::EmailChanged,
        Self::PasswordChanged,
        Self::NewDevice,
        Self::LoginAfterFailures,
        Self::SessionTheft,
        Self::FactorAdded,
        Self::FactorRemoved,
        Self::RecoveryCodeUsed,
        Self::IdentityLinked,
        Self::IdentityUnlinked,
        Self::PasskeyAdded,
        Self::PasskeyRemoved,
    ];

    /// Returns the name used in the database and for the templates.
    ///
    /// ```
    /// use portcullis_domain::mail::Occasion;
    /// assert_eq!(Occasion::VerifyEmail.as_str(), "verify_email");
    /// assert_eq!(Occasion::parse("verify_email"), Some(Occasion::VerifyEmail));
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ConfirmEmail => "confirm_email",
            Self::EmailChanged => "email_changed",
            Self::PasswordChanged => "password_changed",
            Self::NewDevice => "new_device",
            Self::LoginAfterFailures => "login_after_failures",
            Self::SessionTheft => "session_theft",
            Self::FactorAdded => "factor_added",
            Self::FactorRemoved => "factor_removed",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::IdentityLinked => "identity_linked",
            Self::IdentityUnlinked => "identity_unlinked",
            Self::PasskeyAdded => "passkey_added",
            Self::PasskeyRemoved => "passkey_removed",
        }
    }

    /// Parses the name used in the database. Returns `None` if it is unknown.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|occasion| occasion.as_str() == text)
    }

    /// Returns the purpose of the link in the email, or `None` if it has no link.
    #[must_use]
    pub const fn purpose(self) -> Option<Purpose> {
        match self {
            Self::VerifyEmail => Some(Purpose::VerifyEmail),
            Self::ResetPassword => Some(Purpose::ResetPassword),
            Self::ConfirmEmail => Some(Purpose::ChangeEmail),
            Self::EmailChanged => Some(Purpose::UndoEmailChange),
            Self::PasswordChanged
            | Self::NewDevice
            | Self::LoginAfterFailures
            | Self::SessionTheft
            | Self::FactorAdded
            | Self::FactorRemoved
            | Self::RecoveryCodeUsed
            | Self::IdentityLinked
            | Self::IdentityUnlinked
            | Self::PasskeyAdded
            | Self::PasskeyRemoved => None,
        }
    }
}

/// Email to be added to the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// Reason for the email.
    pub occasion: Occasion,
    /// Account, or `None` if the request named only an email address. The account is then looked up
    /// when the email is sent, so that the response does not reveal whether it exists.
    pub user_id: Option<UserId>,
    /// Recipient. Without an account id, this is the address as requested; the email goes to the
    /// address of the account found.
    pub to: EmailAddress,
    /// Language of the email.
    pub language: Language,
    /// Seed from which the one-time token and the email's id are derived.
    pub seed: TokenSeed,
    /// Password version of the account when the email was queued, if the link depends on it. A password
    /// change then invalidates the link even before the email is sent. An address without an account
    /// gets a version that matches no password.
    pub password: Option<PasswordVersion>,
    /// Client that caused the email.
    pub client: ClientInfo,
    /// Time of the event that caused the email, in UTC.
    pub created_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_and_every_purpose_is_its_own() {
        for occasion in Occasion::ALL {
            assert_eq!(Occasion::parse(occasion.as_str()), Some(occasion));
        }
        for purpose in Purpose::ALL {
            assert_eq!(Occasion::ALL.iter().filter(|occasion| occasion.purpose() == Some(purpose)).count(), 1);
        }
    }
}
