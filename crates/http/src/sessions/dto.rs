//! The JSON of sessions.

use crate::api::Api;
use crate::body::{Fields, Input};
use crate::registration::UserResponse;
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::User;
use portcullis_usecases::sessions::Logout;
use serde::Serialize;

/// The token to revoke.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct LogoutRequest {
    /// A refresh token.
    refresh_token: String,
}

impl Input for LogoutRequest {
    type Command = Logout;

    fn read(fields: &mut Fields, _: &Api) -> Option<Logout> {
        Some(Logout { refresh_token: fields.string("refresh_token")? })
    }
}

/// A message for people.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct MessageResponse {
    /// What happened.
    pub(super) message: &'static str,
}

/// The account that is signed in.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct MeResponse {
    /// Its number.
    id: i64,
    /// Its address.
    email: String,
    /// Whether it may sign in.
    is_active: bool,
    /// When it was made, in UTC.
    created_at: String,
    /// Whether its address was verified.
    email_verified: bool,
}

impl From<User> for MeResponse {
    fn from(user: User) -> Self {
        let email_verified = user.email_verified_at.is_some();
        let UserResponse { id, email, is_active, created_at } = user.into();
        Self { id, email, is_active, created_at, email_verified }
    }
}
