//! DTOs of a login.

use crate::body::{CODE, EMAIL, Fields, GRANT_TYPE, Input, PASSWORD, REMEMBER_DEVICE, USERNAME};
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::PasswordPolicy;
use portcullis_usecases::login::PasswordLogin;

/// Login credentials.
#[derive(Apiv2Schema)]
pub(crate) struct LoginRequest;

impl Input for LoginRequest {
    /// Login, and whether a browser must forget the tokens when it closes.
    type Command = (PasswordLogin, bool);
    const FORM: Option<(&str, &str)> = Some(("LoginForm", "OAuth2 password form (RFC 6749 §4.3.2)."));

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<Self::Command> {
        let _ = fields.is_form() && fields.has(GRANT_TYPE);
        let email = fields.known_email(if fields.is_form() { USERNAME } else { EMAIL });
        let password = fields.password(PASSWORD);
        let (code, remember_device) = (fields.factor_code(CODE), fields.optional_bool(REMEMBER_DEVICE));
        let forget = fields.forget();
        let (email, password, code, remember_device) = (email?, password?, code?, remember_device?);
        Some((PasswordLogin { email, password, code, remember_device }, forget?))
    }
}
