//! The JSON of addresses that are verified or changed.

use crate::api::Api;
use crate::body::{Fields, Input};
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::{EmailAddress, Password};
use serde::Serialize;

/// The token of a link in a mail.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct VerifyEmailRequest {
    /// The token of the link in the mail.
    token: String,
    /// The account's password: it stays valid then. Not needed with a bearer token of the account.
    password: Option<String>,
}

impl Input for VerifyEmailRequest {
    /// The token, and the password if it was entered.
    type Command = (String, Option<Password>);

    fn read(fields: &mut Fields, _: &Api) -> Option<Self::Command> {
        let token = fields.string("token");
        let password = fields.optional_password("password");
        Some((token?, password?))
    }
}

/// What a verified address led to.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct VerifiedResponse {
    /// What happened.
    pub(super) message: &'static str,
    /// What the token was for.
    pub(super) purpose: &'static str,
    /// The address that the account has now.
    pub(super) email: String,
    /// How many sessions were ended.
    pub(super) sessions_ended: u64,
    /// A token for `/auth/password/reset`, if the password no longer works or someone else may know
    /// it: offer to set a new one. Null otherwise.
    pub(super) reset_token: Option<String>,
}

/// Which address is to be verified.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct ResendRequest {
    /// The address of the account.
    email: String,
}

impl Input for ResendRequest {
    type Command = EmailAddress;

    fn read(fields: &mut Fields, _: &Api) -> Option<EmailAddress> {
        fields.email("email")
    }
}

/// Which address an account is to have.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct ChangeEmailRequest {
    /// The account's password.
    password: String,
    /// The address that it is to have.
    new_email: String,
}

impl Input for ChangeEmailRequest {
    /// The password, and the new address.
    type Command = (Password, EmailAddress);

    fn read(fields: &mut Fields, _: &Api) -> Option<Self::Command> {
        let password = fields.password("password");
        let new_email = fields.email("new_email");
        Some((password?, new_email?))
    }
}
