//! DTOs of password changes and resets.

use crate::body::{CURRENT_PASSWORD, EMAIL, Fields, Input, NEW_PASSWORD, REMOVE_OTHERS, TOKEN};
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::{EmailAddress, NewPassword, Password, PasswordPolicy};

/// Password change, authorized by the current password. An account without one omits it.
#[derive(Apiv2Schema)]
pub(crate) struct ChangePasswordRequest;

impl Input for ChangePasswordRequest {
    /// Current and new password.
    type Command = (Option<Password>, NewPassword);

    fn read(fields: &mut Fields, passwords: &PasswordPolicy) -> Option<Self::Command> {
        let current = fields.own_password(CURRENT_PASSWORD);
        let new = fields.new_password(NEW_PASSWORD, passwords);
        Some((current?, new?))
    }
}

/// Request for a password-reset email.
#[derive(Apiv2Schema)]
pub(crate) struct ForgotPasswordRequest;

impl Input for ForgotPasswordRequest {
    type Command = EmailAddress;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<EmailAddress> {
        fields.email(EMAIL)
    }
}

/// Password reset, authorized by the token of an email.
#[derive(Apiv2Schema)]
pub(crate) struct ResetPasswordRequest;

impl Input for ResetPasswordRequest {
    /// Token, not parsed yet, new password, and whether to remove other ways to sign in.
    type Command = (String, NewPassword, bool);

    fn read(fields: &mut Fields, passwords: &PasswordPolicy) -> Option<Self::Command> {
        let token = fields.string(TOKEN);
        let new = fields.new_password(NEW_PASSWORD, passwords);
        let remove_others = fields.optional_bool(REMOVE_OTHERS);
        Some((token?, new?, remove_others?))
    }
}
