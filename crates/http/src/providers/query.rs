//! Parameters of the browser's requests.

use actix_web::HttpRequest;
use actix_web::web::Query;
use portcullis_domain::providers::{CodeChallenge, RedirectUris};
use portcullis_usecases::providers::{ProviderCallback, SignInStart};
use serde::Deserialize;

/// Maximum length of the client's `state`, which is stored.
pub(super) const MAX_STATE_BYTES: usize = 1_024;
/// Maximum length of a hint: that of an email address. A longer one is dropped.
const MAX_HINT_BYTES: usize = 254;
/// Values of `prompt` that are passed on (OpenID Connect Core 1.0 §3.1.2.1).
const PROMPTS: [&str; 4] = ["none", "login", "consent", "select_account"];

/// Parameters of a start, as the client sent them.
#[derive(Deserialize, Default)]
pub(crate) struct StartQuery {
    redirect_uri: Option<String>,
    state: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    login_hint: Option<String>,
    prompt: Option<String>,
}

/// Parameter that cannot be used.
pub(crate) enum StartError {
    RedirectUri,
    Pkce,
    State,
}

impl StartQuery {
    /// Reads the query. A malformed one has no parameters.
    pub(super) fn of(request: &HttpRequest) -> Self {
        Self::parse(request.query_string())
    }

    /// Like [`of`](Self::of), for a query that was stored.
    pub(crate) fn parse(query: &str) -> Self {
        Query::from_query(query).map_or_else(|_| Self::default(), Query::into_inner)
    }

    /// Checks the parameters. The redirect URI comes first: the browser is never sent to one that is not listed.
    pub(crate) fn check(self, provider: &str, listed: &RedirectUris) -> Result<SignInStart, StartError> {
        let redirect_uri = self.redirect_uri.filter(|uri| listed.contains(uri)).ok_or(StartError::RedirectUri)?;
        if self.state.as_ref().is_some_and(|state| state.len() > MAX_STATE_BYTES) {
            return Err(StartError::State);
        }
        let is_s256 = self.code_challenge_method.as_deref() == Some(CodeChallenge::METHOD);
        let challenge = self.code_challenge.filter(|_| is_s256).as_deref().and_then(CodeChallenge::parse);
        Ok(SignInStart {
            provider: provider.to_owned(),
            redirect_uri,
            state: self.state,
            challenge: Some(challenge.ok_or(StartError::Pkce)?),
            login_hint: self.login_hint.filter(|hint| hint.len() <= MAX_HINT_BYTES),
            prompt: self.prompt.filter(|prompt| PROMPTS.contains(&prompt.as_str())),
            again: None,
        })
    }
}

/// Parameters of a callback (RFC 6749 §4.1.2, RFC 9207). Others are dropped.
#[derive(Deserialize, Default)]
pub(super) struct CallbackQuery {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

impl CallbackQuery {
    /// Reads the query, or a form. A malformed one has no parameters.
    pub(super) fn parse(text: &str) -> Self {
        Query::from_query(text).map_or_else(|_| Self::default(), Query::into_inner)
    }

    /// Returns the parameters as a query.
    pub(super) fn to_query(&self) -> String {
        let pairs = [("state", &self.state), ("code", &self.code), ("error", &self.error), ("iss", &self.iss)];
        let pairs = pairs.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        portcullis_domain::providers::append_query("", &pairs.collect::<Vec<_>>())
    }
}

impl From<CallbackQuery> for ProviderCallback {
    fn from(query: CallbackQuery) -> Self {
        let CallbackQuery { state, code, error, iss } = query;
        Self { state: state.unwrap_or_default(), code, error, issuer: iss }
    }
}
