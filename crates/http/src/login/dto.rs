//! DTOs of a login.

use crate::api::Api;
use crate::body::{Fields, Input};
use paperclip::actix::Apiv2Schema;
use portcullis_usecases::login::PasswordLogin;

/// Login credentials.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct LoginRequest {
    /// Email address of the account.
    email: String,
    /// Password of the account.
    password: String,
}

impl Input for LoginRequest {
    type Command = PasswordLogin;
    const FORM: bool = true;

    fn read(fields: &mut Fields, _: &Api) -> Option<PasswordLogin> {
        let email = fields.known_email(if fields.is_form() { "username" } else { "email" });
        let password = fields.password("password");
        Some(PasswordLogin { email: email?, password: password? })
    }
}
