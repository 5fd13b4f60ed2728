//! Responses that issue tokens: only they write a pair, its recovery codes and its device cookie.

use crate::call::Call;
use crate::reply::Reply;
use paperclip::actix::Apiv2Schema;
use portcullis_domain::mfa::RecoveryCode;
use portcullis_usecases::login::LoggedIn;
use portcullis_usecases::mfa::NewAccessToken;
use portcullis_usecases::tokens::TokenPair;
use serde::Serialize;

/// Access token and refresh token.
#[derive(Default, Serialize, Apiv2Schema)]
#[openapi(rename = "TokenResponse")]
pub(crate) struct Issued {
    /// Access token, for the `Authorization` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// Refresh token, valid for one exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// Token type: always `bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    /// Lifetime of the access token in seconds; 0 if a retry is so late that it has expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<i64>,
    /// New recovery codes, which are not returned again: with the first factor, or if the last code was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes: Option<Vec<String>>,
    #[serde(skip)]
    device_cookie: Option<String>,
}

impl Issued {
    fn access(token: String, expires_in: i64) -> Self {
        let (access_token, expires_in) = (Some(token), Some(expires_in));
        // RFC 6750.
        Self { access_token, token_type: Some("bearer"), expires_in, ..Self::default() }
    }

    /// Adds recovery codes, if any.
    pub(crate) fn with_recovery_codes(self, codes: Option<Vec<RecoveryCode>>) -> Self {
        Self { recovery_codes: codes.map(exposed), ..self }
    }

    /// Creates the response, with a body around the tokens and codes.
    pub(crate) fn reply<T>(mut self, call: &Call<'_>, body: impl FnOnce(Self) -> T) -> Reply<T> {
        let cookie = self.device_cookie.take().and_then(|cookie| call.set_device_cookie(&cookie));
        Reply::secret(body(self)).with_cookie(cookie)
    }
}

impl From<TokenPair> for Issued {
    fn from(pair: TokenPair) -> Self {
        Self { refresh_token: Some(pair.refresh_token), ..Self::access(pair.access_token, pair.expires_in) }
    }
}

impl From<LoggedIn> for Issued {
    fn from(logged_in: LoggedIn) -> Self {
        let LoggedIn { pair, cookie, recovery_codes } = logged_in;
        Self { device_cookie: Some(cookie), ..Self::from(pair).with_recovery_codes(recovery_codes) }
    }
}

impl From<NewAccessToken> for Issued {
    fn from(token: NewAccessToken) -> Self {
        Self::access(token.access_token, token.expires_in).with_recovery_codes(token.recovery_codes)
    }
}

/// Returns recovery codes as displayed to their owner.
pub(crate) fn exposed(codes: Vec<RecoveryCode>) -> Vec<String> {
    codes.iter().map(RecoveryCode::expose).collect()
}
