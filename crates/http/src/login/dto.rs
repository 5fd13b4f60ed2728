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
    /// Current code of an authenticator app, or a recovery code. Ignored if the account has no second
    /// factor.
    code: Option<String>,
    /// True to need no second factor from this device for a while. Takes effect with a `code`.
    remember_device: Option<bool>,
}

impl Input for LoginRequest {
    type Command = PasswordLogin;
    const FORM: bool = true;

    fn read(fields: &mut Fields, _: &Api) -> Option<PasswordLogin> {
        let email = fields.known_email(if fields.is_form() { "username" } else { "email" });
        let password = fields.password("password");
        let (code, remember_device) = (fields.factor_code("code"), fields.optional_bool("remember_device"));
        Some(PasswordLogin { email: email?, password: password?, code: code?, remember_device: remember_device? })
    }
}
