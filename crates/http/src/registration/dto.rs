//! DTOs of accounts.

use crate::body::{EMAIL, Fields, Input, Member, NEW_PASSWORD, PASSWORD};
use crate::time::rfc3339;
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::{Password, PasswordPolicy, User};
use portcullis_usecases::registration::Registration;
use serde::Serialize;

/// New account.
#[derive(Apiv2Schema)]
pub(crate) struct RegisterRequest;

impl Input for RegisterRequest {
    type Command = Registration;

    fn read(fields: &mut Fields, passwords: &PasswordPolicy) -> Option<Registration> {
        let email = fields.email(EMAIL);
        let password = fields.new_password(Member { about: NEW_PASSWORD.about, ..PASSWORD }, passwords);
        Some(Registration { email: email?, password: password? })
    }
}

/// Confirmation that an account is to be deleted. An account without a password omits it.
#[derive(Apiv2Schema)]
pub(crate) struct LeaveRequest;

impl Input for LeaveRequest {
    type Command = Option<Password>;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<Self::Command> {
        fields.own_password(PASSWORD)
    }
}

/// Account.
#[derive(Debug, Serialize, Apiv2Schema)]
pub(crate) struct UserResponse {
    /// Account id.
    pub(crate) id: i64,
    /// Email address.
    pub(crate) email: String,
    /// True if the account may log in.
    pub(crate) is_active: bool,
    /// Creation time, in UTC.
    pub(crate) created_at: String,
}

impl From<User> for UserResponse {
    fn from(user: User) -> Self {
        Self {
            id: user.id.get(),
            email: user.email.original().to_owned(),
            is_active: user.is_active,
            created_at: rfc3339(user.created_at),
        }
    }
}
