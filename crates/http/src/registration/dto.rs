//! The JSON of an account.

use crate::api::Api;
use crate::body::{Fields, Input};
use crate::time::rfc3339;
use paperclip::actix::Apiv2Schema;
use portcullis_domain::mail::Language;
use portcullis_domain::registration::{Password, User};
use portcullis_domain::sessions::ClientInfo;
use portcullis_usecases::registration::Registration;
use serde::Serialize;

/// A new account.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct RegisterRequest {
    /// The address to sign in with.
    email: String,
    /// Any characters; all of them count.
    password: String,
}

impl Input for RegisterRequest {
    type Command = Registration;

    fn read(fields: &mut Fields, api: &Api) -> Option<Registration> {
        let email = fields.email("email");
        let password = fields.new_password("password", &api.passwords);
        let (client, language) = (ClientInfo::default(), Language::default());
        Some(Registration { email: email?, password: password?, client, language })
    }
}

/// Who wants to leave.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct LeaveRequest {
    /// The account's password.
    password: String,
}

impl Input for LeaveRequest {
    type Command = Password;

    fn read(fields: &mut Fields, _: &Api) -> Option<Password> {
        fields.password("password")
    }
}

/// An account.
#[derive(Debug, Serialize, Apiv2Schema)]
pub(crate) struct UserResponse {
    /// Its number.
    pub(crate) id: i64,
    /// Its address.
    pub(crate) email: String,
    /// Whether it may sign in.
    pub(crate) is_active: bool,
    /// When it was made, in UTC.
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
