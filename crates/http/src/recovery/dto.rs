//! The JSON of passwords that are changed or forgotten.

use crate::api::Api;
use crate::body::{Fields, Input};
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::{EmailAddress, NewPassword, Password};

/// A new password, by somebody who knows the old one.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct ChangePasswordRequest {
    /// The password so far.
    current_password: String,
    /// Any characters; all of them count.
    new_password: String,
}

impl Input for ChangePasswordRequest {
    /// The password so far, and the new one.
    type Command = (Password, NewPassword);

    fn read(fields: &mut Fields, api: &Api) -> Option<Self::Command> {
        let current = fields.password("current_password");
        let new = fields.new_password("new_password", &api.passwords);
        Some((current?, new?))
    }
}

/// Whose password was forgotten.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct ForgotPasswordRequest {
    /// The address of the account.
    email: String,
}

impl Input for ForgotPasswordRequest {
    type Command = EmailAddress;

    fn read(fields: &mut Fields, _: &Api) -> Option<EmailAddress> {
        fields.email("email")
    }
}

/// A new password, by somebody who reads the account's mail.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct ResetPasswordRequest {
    /// The token of the link in the mail.
    token: String,
    /// Any characters; all of them count.
    new_password: String,
}

impl Input for ResetPasswordRequest {
    /// The token, whatever it is worth, and the new password.
    type Command = (String, NewPassword);

    fn read(fields: &mut Fields, api: &Api) -> Option<Self::Command> {
        let token = fields.string("token");
        let new = fields.new_password("new_password", &api.passwords);
        Some((token?, new?))
    }
}
