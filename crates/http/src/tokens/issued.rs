//! Responses that issue tokens: only they write a pair, its recovery codes and its device cookie.

use super::cookies::{TokenCookie, TokenCookies};
use super::transport::Transport;
use crate::call::Call;
use crate::reply::Reply;
use actix_web::http::header::HeaderValue;
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
    /// Access token, for the `Authorization` header. Not in cookie mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// Refresh token, valid for one exchange. Not in cookie mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// Token type: `bearer`, or `cookie` if the tokens are in cookies.
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
    /// True if a browser must forget the tokens when it closes.
    #[serde(skip)]
    forget: bool,
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
    pub(crate) fn reply<T>(mut self, call: &Call<'_>, transport: Transport, body: impl FnOnce(Self) -> T) -> Reply<T> {
        let device = self.device_cookie.take().and_then(|cookie| call.set_device_cookie(&cookie));
        let tokens = transport.cookies(call.api).map(|cookies| self.move_to(cookies)).unwrap_or_default();
        Reply::secret(body(self)).with_cookies(device.into_iter().chain(tokens))
    }

    /// Moves the tokens into cookies.
    fn move_to(&mut self, cookies: &TokenCookies) -> Vec<HeaderValue> {
        let tokens =
            [(TokenCookie::Access, self.access_token.take()), (TokenCookie::Refresh, self.refresh_token.take())];
        let set = |(kind, token): (_, Option<String>)| cookies.set(kind, &token?, self.forget);
        let set: Vec<_> = tokens.into_iter().filter_map(set).collect();
        self.token_type = self.token_type.map(|_| "cookie");
        set
    }
}

impl From<TokenPair> for Issued {
    fn from(pair: TokenPair) -> Self {
        let TokenPair { access_token, refresh_token, expires_in, forget } = pair;
        Self { refresh_token: Some(refresh_token), forget, ..Self::access(access_token, expires_in) }
    }
}

impl From<LoggedIn> for Issued {
    fn from(logged_in: LoggedIn) -> Self {
        let LoggedIn { pair, cookie, recovery_codes, .. } = logged_in;
        Self { device_cookie: Some(cookie), ..Self::from(pair).with_recovery_codes(recovery_codes) }
    }
}

impl From<NewAccessToken> for Issued {
    fn from(token: NewAccessToken) -> Self {
        let NewAccessToken { access_token, expires_in, forget, recovery_codes } = token;
        Self { forget, ..Self::access(access_token, expires_in) }.with_recovery_codes(recovery_codes)
    }
}

/// Returns recovery codes as displayed to their owner.
pub(crate) fn exposed(codes: Vec<RecoveryCode>) -> Vec<String> {
    codes.iter().map(RecoveryCode::expose).collect()
}
