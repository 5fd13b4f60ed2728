//! Configured providers.

use crate::caller::Caller;
use crate::limits::Admission;
use crate::login::Gate;
use crate::sessions::Entry;
use portcullis_domain::login::{Method, Methods, Owner};
use portcullis_domain::providers::{LinkingPolicy, ProviderKind, ProviderName, RedirectUris};
use portcullis_domain::sessions::{Session, SessionId};
use portcullis_ports::IdentityProvider;
use std::sync::Arc;

/// Configured provider.
pub struct Provider {
    /// Name in settings and paths.
    pub name: ProviderName,
    /// Name for people.
    pub label: String,
    /// Kind.
    pub kind: ProviderKind,
    /// Who gets an account.
    pub policy: LinkingPolicy,
    /// `true` if the provider's second factor counts.
    pub second_factor: bool,
    /// Speaks the provider's protocol.
    pub protocol: Arc<dyn IdentityProvider>,
}

impl Provider {
    /// Returns whether a sign-in counts as one with several factors.
    pub(super) const fn counts_factors(&self, multi_factor: bool) -> bool {
        self.second_factor && multi_factor
    }
}

/// Creates the entry of an owner who signed in with a provider, which may have verified several factors.
pub(super) fn federated_entry<'a>(
    gate: &Gate,
    owner: &'a Owner,
    (multi_factor, session_id): (bool, SessionId),
    (caller, admission): (&'a Caller, &'a Admission),
) -> Entry<'a> {
    let methods = Methods::from(Method::Federated);
    let methods = if multi_factor { methods.with_provider_factors() } else { methods };
    gate.entry(owner, (methods, session_id), (caller, admission))
}

/// Creates the entry of an app that continues a session of the account pages. The device was recognized when that
/// session began.
pub(super) fn continued_entry<'a>(
    gate: &Gate,
    owner: &'a Owner,
    (page, session_id): (&'a Session, SessionId),
    (caller, admission): (&'a Caller, &'a Admission),
) -> Entry<'a> {
    let methods = page.authentication.map(|by| by.methods).unwrap_or_default();
    let entry = federated_entry(gate, owner, (false, session_id), (caller, admission));
    Entry { methods, is_known: true, page: Some(page), ..entry }
}

/// All configured providers.
#[derive(Default)]
pub struct Providers {
    /// Providers, in the order of the settings.
    pub list: Vec<Provider>,
    /// Where people may be sent back to.
    pub redirect_uris: RedirectUris,
    /// `PUBLIC_URL`: callbacks are below it, and responses name it as their issuer (RFC 9207).
    pub public_url: String,
}

impl Providers {
    /// Returns the provider with this name, or `None` if there is none.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Provider> {
        self.list.iter().find(|provider| provider.name.as_str() == name)
    }

    /// Returns the callback URL of a provider, which is registered there.
    #[must_use]
    pub fn callback_url(&self, name: &ProviderName) -> String {
        format!("{}/auth/providers/{name}/callback", self.public_url)
    }
}
