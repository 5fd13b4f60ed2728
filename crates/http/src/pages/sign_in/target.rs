//! Where a sign-in ends: at a page of this origin, or in an app (hosted sign-in). Forms and links carry it as a query.

use crate::api::Api;
use crate::pages::page::{ErrorText, FormError};
use crate::providers::{StartError, StartQuery};
use actix_web::HttpRequest;
use actix_web::web::Query;
use portcullis_domain::login::LocalPath;
use portcullis_domain::providers::{CodeChallenge, RedirectUris, SignInError, append_query};
use portcullis_usecases::providers::AppSignIn;
use serde::Deserialize;

/// End of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A page of this origin; `None` is that of the account.
    Page(Option<LocalPath>),
    /// An app, whose `redirect_uri` is listed.
    App(AppSignIn),
}

/// Parameters of the sign-in page beside the target.
#[derive(Deserialize, Default)]
pub(super) struct Parameters {
    #[serde(rename = "continue")]
    path: Option<String>,
    redirect_uri: Option<String>,
    /// Email address that the person is likely to enter.
    pub(super) login_hint: Option<String>,
    /// Present if the person wants to use another account.
    pub(super) switch: Option<String>,
    error: Option<String>,
}

impl Parameters {
    /// Reads the query. A malformed one has no parameters.
    pub(super) fn of(query: &str) -> Self {
        Query::from_query(query).map_or_else(|_| Self::default(), Query::into_inner)
    }

    /// Returns the message of the sign-in that ended here, if its name is known.
    pub(super) fn message(&self) -> Option<FormError> {
        let name = self.error.as_deref()?;
        SignInError::ALL.into_iter().find(|error| error.as_str() == name).map(FormError::of_sign_in)
    }
}

impl FormError {
    /// Creates the message for a sign-in that failed.
    pub(super) const fn of_sign_in(error: SignInError) -> Self {
        let text = match error {
            SignInError::AccessDenied => ErrorText::Canceled,
            SignInError::AccountExists => ErrorText::AccountExists,
            SignInError::OtherAccount => ErrorText::OtherAccount,
            SignInError::EmailMissing => ErrorText::EmailMissing,
            SignInError::SignUpClosed => ErrorText::SignUpClosed,
            SignInError::DomainNotAllowed => ErrorText::DomainNotAllowed,
            SignInError::AccountDisabled => ErrorText::AccountDisabled,
            SignInError::FlowExpired => ErrorText::SignInExpired,
            SignInError::ProviderUnavailable => ErrorText::ProviderUnavailable,
            SignInError::IdentityTaken | SignInError::ServerError => ErrorText::Unexpected,
        };
        Self { text, field: None }
    }
}

impl Target {
    /// Reads the target of a request. An unusable `continue` is that of the account.
    ///
    /// # Errors
    /// Returns [`StartError`] if an app's parameters are unusable.
    pub(super) fn of(request: &HttpRequest, api: &Api) -> Result<Self, StartError> {
        Self::parse(request.query_string(), &api.providers.providers.redirect_uris)
    }

    pub(super) fn parse(query: &str, listed: &RedirectUris) -> Result<Self, StartError> {
        let parameters = Parameters::of(query);
        if parameters.redirect_uri.is_none() {
            return Ok(Self::Page(parameters.path.as_deref().and_then(LocalPath::parse)));
        }
        let start = StartQuery::parse(query).check("", listed)?;
        let challenge = start.challenge.ok_or(StartError::Pkce)?;
        Ok(Self::App(AppSignIn { redirect_uri: start.redirect_uri, state: start.state, challenge }))
    }

    /// Returns the target as a query that begins with `?`, or as an empty text if it is that of the account.
    pub(super) fn query(&self) -> String {
        match self {
            Self::Page(None) => String::new(),
            Self::Page(Some(path)) => append_query("", &[("continue", path.as_str())]),
            Self::App(AppSignIn { redirect_uri, state, challenge }) => {
                let challenge = challenge.to_string();
                let mut parameters = vec![("redirect_uri", redirect_uri.as_str())];
                parameters.extend(state.iter().map(|state| ("state", state.as_str())));
                parameters.push(("code_challenge", &challenge));
                parameters.push(("code_challenge_method", CodeChallenge::METHOD));
                append_query("", &parameters)
            }
        }
    }

    /// Returns the name of the app for people: its host, or the scheme of a native app.
    pub(super) fn app(&self) -> Option<&str> {
        let Self::App(app) = self else { return None };
        let (scheme, rest) = app.redirect_uri.split_once(':')?;
        Some(match rest.strip_prefix("//") {
            Some(rest) if scheme.starts_with("http") => rest.split(['/', '?']).next().unwrap_or_default(),
            _ => scheme,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "redirect_uri=https%3A%2F%2Fapp.example.org%2Fin&state=a%26b&\
                       code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

    fn parse(query: &str) -> Option<Target> {
        let listed = RedirectUris::parse("https://app.example.org/in,com.example.app:/in,http://127.0.0.1/in").unwrap();
        Target::parse(query, &listed).ok()
    }

    #[test]
    fn a_target_survives_as_a_query() {
        for (query, app) in [
            ("", None),
            ("continue=%2Faccount%2Fsecurity%3Fa%3Db%26c", None),
            (APP, Some("app.example.org")),
            (&APP.replace("https%3A%2F%2Fapp.example.org%2Fin", "com.example.app%3A%2Fin"), Some("com.example.app")),
            (&APP.replace("https%3A%2F%2Fapp.example.org", "http%3A%2F%2F127.0.0.1%3A8123"), Some("127.0.0.1:8123")),
        ] {
            let target = parse(query).unwrap();
            assert_eq!(target.app(), app, "{query}");
            assert_eq!(parse(target.query().trim_start_matches('?')), Some(target));
        }
    }

    #[test]
    fn unusable_targets_are_refused_or_the_account() {
        for bad in [
            APP.replace("app.example.org", "evil.example"),
            APP.replace("S256", "plain"),
            APP.replace("code_challenge=", "code="),
            format!("{APP}&state={}", "a"),
            APP.replace("a%26b", &"a".repeat(1_025)),
        ] {
            assert!(!matches!(parse(&bad), Some(Target::App(_))), "{bad}");
        }
        for other in
            ["continue=https%3A%2F%2Fevil.example", "continue=%2F%2Fevil.example", "continue=%2F%5Cevil.example"]
        {
            assert_eq!(parse(other), Some(Target::Page(None)), "{other}");
        }
    }
}
