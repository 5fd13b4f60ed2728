//! DTOs of email verification and changes of the email address.

use crate::body::{EMAIL, Fields, Input, Member, NEW_EMAIL, PASSWORD, TOKEN};
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::{EmailAddress, Password, PasswordPolicy};
use serde::Serialize;

const PROOF: &str =
    "Password of the account. If it is correct, it stays valid. Not needed with a bearer token of the account.";

/// Token of an email, and optional proof of the password.
#[derive(Apiv2Schema)]
pub(crate) struct VerifyEmailRequest;

impl Input for VerifyEmailRequest {
    /// Token, and the password if it was sent.
    type Command = (String, Option<Password>);

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<Self::Command> {
        let token = fields.string(TOKEN);
        let password = fields.optional_password(Member { about: PROOF, ..PASSWORD });
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
pub(crate) struct ResendRequest;

impl Input for ResendRequest {
    type Command = EmailAddress;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<EmailAddress> {
        fields.email(EMAIL)
    }
}

/// New email address, authorized by the password. An account without one omits it.
#[derive(Apiv2Schema)]
pub(crate) struct ChangeEmailRequest;

impl Input for ChangeEmailRequest {
    /// Password and new email address.
    type Command = (Option<Password>, EmailAddress);

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<Self::Command> {
        let password = fields.own_password(PASSWORD);
        let new_email = fields.email(NEW_EMAIL);
        Some((password?, new_email?))
    }
}
