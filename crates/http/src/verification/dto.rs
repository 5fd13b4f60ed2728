//! DTOs of email verification and changes of the email address.

use crate::api::Api;
use crate::body::{Fields, Input};
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::{EmailAddress, Password};
use serde::Serialize;

/// Token of an email, and optional proof of the password.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct VerifyEmailRequest {
    /// Token of the link in the email.
    token: String,
    /// Password of the account. If it is correct, it stays valid. Not needed with a bearer token of the
    /// account.
    password: Option<String>,
}

impl Input for VerifyEmailRequest {
    /// Token, and the password if it was sent.
    type Command = (String, Option<Password>);

    fn read(fields: &mut Fields, _: &Api) -> Option<Self::Command> {
        let token = fields.string("token");
        let password = fields.optional_password("password");
        Some((token?, password?))
    }
}

/// Result of redeeming a token.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct VerifiedResponse {
    /// Human-readable message.
    pub(super) message: &'static str,
    /// Purpose of the token.
    pub(super) purpose: &'static str,
    /// Current email address of the account.
    pub(super) email: String,
    /// Number of sessions that were ended.
    pub(super) sessions_ended: u64,
    /// Token for `/auth/password/reset` if the password was removed or others may know it, else null.
    pub(super) reset_token: Option<String>,
}

/// Request for another verification email.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct ResendRequest {
    /// Email address of the account.
    email: String,
}

impl Input for ResendRequest {
    type Command = EmailAddress;

    fn read(fields: &mut Fields, _: &Api) -> Option<EmailAddress> {
        fields.email("email")
    }
}

/// New email address, authorized by the password.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct ChangeEmailRequest {
    /// Password of the account.
    password: String,
    /// New email address.
    new_email: String,
}

impl Input for ChangeEmailRequest {
    /// Password and new email address.
    type Command = (Password, EmailAddress);

    fn read(fields: &mut Fields, _: &Api) -> Option<Self::Command> {
        let password = fields.password("password");
        let new_email = fields.email("new_email");
        Some((password?, new_email?))
    }
}
