//! The JSON of tokens.

use crate::api::Api;
use crate::body::{Fields, Input};
use paperclip::actix::Apiv2Schema;
use portcullis_usecases::tokens::TokenPair;
use serde::Serialize;

/// The token to exchange.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "the document is made from these members; `read` reads them")]
pub(crate) struct RefreshRequest {
    /// The refresh token of the last pair.
    refresh_token: String,
}

impl Input for RefreshRequest {
    /// The token.
    type Command = String;

    fn read(fields: &mut Fields, _: &Api) -> Option<String> {
        fields.string("refresh_token")
    }
}

/// A pair of tokens.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct TokenResponse {
    /// For the `Authorization` header of other calls.
    access_token: String,
    /// To be exchanged, once, for the next pair.
    refresh_token: String,
    /// How the access token is shown: always `bearer`.
    token_type: &'static str,
    /// How long the access token lives, in seconds; 0 where the pair was asked for again so late that
    /// it has expired.
    expires_in: i64,
}

impl From<TokenPair> for TokenResponse {
    fn from(pair: TokenPair) -> Self {
        let TokenPair { access_token, refresh_token, expires_in } = pair;
        Self { access_token, refresh_token, token_type: "bearer", expires_in }
    }
}
