//! DTOs of password changes and resets.

use crate::api::Api;
use crate::body::{Fields, Input};
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::{EmailAddress, NewPassword, Password};

/// Password change, authorized by the current password.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct ChangePasswordRequest {
    /// Current password.
    current_password: String,
    /// New password. Any characters are allowed, and all are significant.
    new_password: String,
}

impl Input for ChangePasswordRequest {
    /// Current and new password.
    type Command = (Password, NewPassword);

    fn read(fields: &mut Fields, api: &Api) -> Option<Self::Command> {
        let current = fields.password("current_password");
        let new = fields.new_password("new_password", &api.passwords);
        Some((current?, new?))
    }
}

/// Request for a password-reset email.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct ForgotPasswordRequest {
    /// Email address of the account.
    email: String,
}

impl Input for ForgotPasswordRequest {
    type Command = EmailAddress;

    fn read(fields: &mut Fields, _: &Api) -> Option<EmailAddress> {
        fields.email("email")
    }
}

/// Password reset, authorized by the token of an email.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct ResetPasswordRequest {
    /// Token of the link in the email.
    token: String,
    /// New password. Any characters are allowed, and all are significant.
    new_password: String,
    /// True to remove everything else that can replace the password at a login. Trusted devices end with
    /// every new password; there is nothing else yet. A second factor stays.
    remove_other_sign_in_methods: Option<bool>,
}

impl Input for ResetPasswordRequest {
    /// Token, not parsed yet, and new password.
    type Command = (String, NewPassword);

    fn read(fields: &mut Fields, api: &Api) -> Option<Self::Command> {
        let token = fields.string("token");
        let new = fields.new_password("new_password", &api.passwords);
        fields.optional_bool("remove_other_sign_in_methods")?;
        Some((token?, new?))
    }
}
