//! DTOs of tokens.

use crate::body::{Fields, Input, REFRESH_TOKEN};
use crate::mfa::exposed;
use paperclip::actix::Apiv2Schema;
use portcullis_domain::registration::PasswordPolicy;
use portcullis_usecases::login::LoggedIn;
use portcullis_usecases::tokens::TokenPair;
use serde::Serialize;

/// Refresh token to exchange.
#[derive(Apiv2Schema)]
pub(crate) struct RefreshRequest;

impl Input for RefreshRequest {
    type Command = String;

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<String> {
        fields.jwt(REFRESH_TOKEN)
    }
}

/// Access token and refresh token.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct TokenResponse {
    /// Access token, for the `Authorization` header.
    access_token: String,
    /// Refresh token, valid for one exchange.
    refresh_token: String,
    /// Token type: always `bearer`.
    token_type: &'static str,
    /// Lifetime of the access token in seconds; 0 if a retry is so late that it has expired.
    expires_in: i64,
    /// New recovery codes, shown this once; only if a login used the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes: Option<Vec<String>>,
}

impl TokenResponse {
    /// Token type (RFC 6750).
    pub(crate) const TYPE: &'static str = "bearer";
}

impl From<TokenPair> for TokenResponse {
    fn from(pair: TokenPair) -> Self {
        let TokenPair { access_token, refresh_token, expires_in } = pair;
        Self { access_token, refresh_token, token_type: Self::TYPE, expires_in, recovery_codes: None }
    }
}

impl From<LoggedIn> for TokenResponse {
    fn from(logged_in: LoggedIn) -> Self {
        Self { recovery_codes: logged_in.recovery_codes.map(exposed), ..logged_in.pair.into() }
    }
}
