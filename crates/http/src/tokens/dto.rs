//! DTOs of tokens.

use crate::body::{Fields, Input, REFRESH_TOKEN};
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::PasswordPolicy;

/// Refresh token to exchange.
#[derive(Apiv2Schema)]
pub(crate) struct RefreshRequest;

impl Input for RefreshRequest {
    /// `None`: the token is in a cookie.
    type Command = Option<String>;
    const COOKIE_SUFFICES: bool = true;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<Option<String>> {
        fields.jwt_or_cookie(REFRESH_TOKEN)
    }
}
