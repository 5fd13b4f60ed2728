//! DTOs of sign-in with providers.

use crate::body::{Fields, Input, Member};
use crate::time::rfc3339;
use paperclip::actix::Apiv2Schema;
use portcullis_domain::providers::Identity;
use portcullis_domain::registration::PasswordPolicy;
use portcullis_usecases::providers::{CodeExchange, IdTokenSignIn, IdentitiesListed, Providers};
use serde::{Deserialize, Serialize};

/// Path of a provider.
#[derive(Deserialize, Apiv2Schema)]
pub(crate) struct ProviderPath {
    /// Name of the provider.
    pub(super) name: String,
}

/// Path of an identity.
#[derive(Deserialize, Apiv2Schema)]
pub(crate) struct IdentityPath {
    /// Id of the identity.
    pub(super) id: String,
}

/// Providers that people can sign in with.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ProvidersResponse {
    /// Providers, in the order to offer them.
    pub(super) providers: Vec<ProviderResponse>,
}

/// Provider that people can sign in with.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ProviderResponse {
    /// Name, for paths.
    name: String,
    /// Name for people.
    label: String,
    /// Kind: `google`, `microsoft`, `apple`, `gitlab`, `github` or `oidc`.
    kind: &'static str,
    /// URL to send the browser to, with the client's parameters.
    start_url: String,
}

impl ProvidersResponse {
    /// Lists the providers.
    pub(super) fn of(providers: &Providers) -> Self {
        let list = providers.list.iter().map(|provider| ProviderResponse {
            name: provider.name.to_string(),
            label: provider.label.clone(),
            kind: provider.kind.as_str(),
            start_url: format!("{}/auth/providers/{}/start", providers.public_url, provider.name),
        });
        Self { providers: list.collect() }
    }
}

const REDIRECT_URI: Member = Member {
    name: "redirect_uri",
    about: "One of `REDIRECT_URIS`, exactly.",
    example: "https://app.example.org/signed-in",
};
const STATE: Member = Member { name: "state", about: "Returned to `redirect_uri`. Optional.", example: "af0ifjsldkj" };

/// Flow that links an identity to the account.
#[derive(Apiv2Schema)]
pub(crate) struct LinkRequest;

impl Input for LinkRequest {
    /// `redirect_uri` and `state`.
    type Command = (String, Option<String>);

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<Self::Command> {
        let redirect_uri = fields.string(REDIRECT_URI);
        let state = if fields.has(STATE) { fields.string(STATE).map(Some) } else { Some(None) };
        Some((redirect_uri?, state?))
    }
}

/// One-time URL that links an identity.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct LinkResponse {
    /// URL to open in the browser of this session.
    pub(super) start_url: String,
    /// Seconds until the URL expires.
    pub(super) expires_in: i64,
}

/// One-time code of a sign-in.
#[derive(Apiv2Schema)]
pub(crate) struct CodeRequest;

impl Input for CodeRequest {
    /// Code, and whether a browser must forget the tokens when it closes.
    type Command = (CodeExchange, bool);

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<Self::Command> {
        const CODE: Member = Member {
            name: "code",
            about: "Code from the query of `redirect_uri`.",
            example: "8f2b6c1d9e3a4705b8c6d2e1f0a9384756473829100f1e2d3c4b5a6978685746",
        };
        const VERIFIER: Member = Member {
            name: "code_verifier",
            about: "Verifier of the `code_challenge` (RFC 7636).",
            example: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        };
        let (code, code_verifier) = (fields.string(CODE), fields.string(VERIFIER));
        let redirect_uri = fields.string(REDIRECT_URI);
        let forget = fields.forget();
        let exchange = CodeExchange { code: code?, code_verifier: code_verifier?, redirect_uri: redirect_uri? };
        Some((exchange, forget?))
    }
}

/// ID token of a native app.
#[derive(Apiv2Schema)]
pub(crate) struct IdTokenRequest;

impl Input for IdTokenRequest {
    /// Sign-in without the name of the provider, and whether a browser must forget the tokens when it closes.
    type Command = (IdTokenSignIn, bool);

    fn read(fields: &mut Fields, _: &PasswordPolicy) -> Option<Self::Command> {
        const ID_TOKEN: Member = Member {
            name: "id_token",
            about: "ID token that the provider issued to the app.",
            example: "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJodHRwczovL2FjY291bnRzLmdvb2dsZS5jb20ifQ.c2lnbmF0dXJl",
        };
        const NONCE: Member = Member {
            name: "nonce",
            about: "Nonce of the token, or the value whose SHA-256 it is.",
            example: "n-0S6_WzA2Mj",
        };
        let id_token = fields.jwt(ID_TOKEN);
        let nonce = if fields.has(NONCE) { fields.string(NONCE).map(Some) } else { Some(None) };
        let forget = fields.forget();
        Some((IdTokenSignIn { provider: String::new(), id_token: id_token?, nonce: nonce? }, forget?))
    }
}

/// Ways to sign in to the account.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct IdentitiesResponse {
    /// Linked identities, oldest first.
    identities: Vec<IdentityResponse>,
    /// True if the account has a password.
    password: bool,
    /// Number of passkeys that sign in. Those that are only second factors do not.
    passkeys: u32,
}

/// Linked identity.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct IdentityResponse {
    /// Id of the identity.
    id: String,
    /// Name of the provider.
    provider: String,
    /// Name of the provider for people.
    label: String,
    /// Email address that the provider reported last.
    email: Option<String>,
    /// Time of the link, in UTC.
    created_at: String,
    /// Time of the last sign-in, in UTC.
    last_used_at: Option<String>,
}

impl IdentitiesResponse {
    /// Lists the identities. A provider that is no longer configured has its name as its label.
    pub(super) fn of(listed: IdentitiesListed, providers: &Providers) -> Self {
        let passkeys = u32::try_from(listed.passkeys).unwrap_or(u32::MAX);
        let label = |identity: &Identity| {
            let name = identity.provider.as_str();
            providers.find(name).map_or(name, |provider| &provider.label).to_owned()
        };
        let identities = listed.identities.into_iter().map(|identity| IdentityResponse {
            id: identity.id.to_string(),
            label: label(&identity),
            provider: identity.provider.to_string(),
            email: identity.email,
            created_at: rfc3339(identity.created_at),
            last_used_at: identity.last_used_at.map(rfc3339),
        });
        Self { identities: identities.collect(), password: listed.password, passkeys }
    }
}
