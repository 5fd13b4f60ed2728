//! DTOs of accounts.

use crate::api::Api;
use crate::body::{Fields, Input};
use crate::time::rfc3339;
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::{Password, User};
use portcullis_usecases::registration::Registration;
use serde::Serialize;

/// New account.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct RegisterRequest {
    /// Email address to log in with.
    email: String,
    /// Password. Any characters are allowed, and all are significant.
    password: String,
}

impl Input for RegisterRequest {
    type Command = Registration;

    fn read(fields: &mut Fields, api: &Api) -> Option<Registration> {
        let email = fields.email("email");
        let password = fields.new_password("password", &api.passwords);
        Some(Registration { email: email?, password: password? })
    }
}

/// Confirmation that an account is to be deleted.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct LeaveRequest {
    /// Password of the account.
    password: String,
}

impl Input for LeaveRequest {
    type Command = Password;

    fn read(fields: &mut Fields, _: &Api) -> Option<Password> {
        fields.password("password")
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
