//! DTOs of tokens.

use crate::body::{Fields, Input, REFRESH_TOKEN};
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::PasswordPolicy;

/// Refresh token to exchange.
#[derive(Apiv2Schema)]
pub(crate) struct RefreshRequest;

impl Input for RefreshRequest {
    type Command = String;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<String> {
        fields.jwt(REFRESH_TOKEN)
    }
}
