//! Why a mail is sent, and the order to send one. An order holds nothing that opens anything: what
//! a link needs is made when the mail is.

use super::Language;
use crate::registration::{EmailAddress, UserId};
use crate::sessions::ClientInfo;
use crate::verification::{PasswordVersion, Purpose, TokenSeed};
use chrono::{DateTime, Utc};

/// Why a mail is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Occasion {
    /// An address is to be verified.
    VerifyEmail,
    /// Somebody forgot a password.
    ResetPassword,
    /// A new address is to be confirmed; sent to that one.
    ConfirmEmail,
    /// The address was changed; sent to the old one, with a way back.
    EmailChanged,
    /// The password was changed.
    PasswordChanged,
    /// Somebody signed in from a device that the account does not know.
    NewDevice,
    /// Somebody signed in after many tries with a wrong password.
    LoginAfterFailures,
    /// A session was ended, for a spent token of it was shown again.
    SessionTheft,
}

impl Occasion {
    /// Every occasion.
    pub const ALL: [Self; 8] = [
        Self::VerifyEmail,
        Self::ResetPassword,
        Self::ConfirmEmail,
        Self::EmailChanged,
        Self::PasswordChanged,
        Self::NewDevice,
        Self::LoginAfterFailures,
        Self::SessionTheft,
    ];

    /// The stored spelling, which is also the name of its templates.
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
        }
    }

    /// Reads the stored spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|occasion| occasion.as_str() == text)
    }

    /// What the link in the mail is for, where it has one.
    #[must_use]
    pub const fn purpose(self) -> Option<Purpose> {
        match self {
            Self::VerifyEmail => Some(Purpose::VerifyEmail),
            Self::ResetPassword => Some(Purpose::ResetPassword),
            Self::ConfirmEmail => Some(Purpose::ChangeEmail),
            Self::EmailChanged => Some(Purpose::UndoEmailChange),
            Self::PasswordChanged | Self::NewDevice | Self::LoginAfterFailures | Self::SessionTheft => None,
        }
    }
}

/// An order to send a mail, which the store has yet to number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// Why.
    pub occasion: Occasion,
    /// The account. None where only an address was named: whether it has an account is looked up
    /// when the mail is made, so that nobody learns it from the answer.
    pub user_id: Option<UserId>,
    /// The address to write to; where no account is given, the one that was named: the mail goes
    /// to the address that its account has, if there is one.
    pub to: EmailAddress,
    /// In which language.
    pub language: Language,
    /// What its token and its identifier are made from.
    pub seed: TokenSeed,
    /// The password that the account has when it is ordered, if its link dies with that: another
    /// password kills the link before its mail is made, too. An address without an account has a
    /// version that no password has.
    pub password: Option<PasswordVersion>,
    /// From where it was caused.
    pub client: ClientInfo,
    /// When it was caused, in UTC.
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
