//! Wires sign-in with identity providers.

use super::Base;
use super::outbound::Client;
use crate::settings::{Credential, Provider as ProviderSettings, Providers as ProvidersSettings, Settings};
use anyhow::Context;
use portcullis_domain::providers::{LinkingPolicy, ResponseMode, TrustEmail};
use portcullis_http::ProviderUseCases;
use portcullis_oidc::{KeyCaches, OidcProvider, ProviderConfig};
use portcullis_ports::{Clock, OutboundHttp, SignInObserver};
use portcullis_usecases::providers::{
    CompleteSignIn, ContinueInApp, ExchangeCode, ListIdentities, NativeSignIn, Provider, Providers, ResolveAccount,
    StartLink, StartSignIn, UnlinkIdentity,
};
use portcullis_usecases::tokens::Authenticate;
use std::sync::Arc;

pub(super) fn use_cases(
    base: &Base,
    settings: &Settings,
    authenticate: &Arc<Authenticate>,
    (client, observer): (Option<Client>, Arc<dyn SignInObserver>),
) -> anyhow::Result<ProviderUseCases> {
    let Base { store, hasher, sealer, gate, limits, devices, outbox, issuance, clock, .. } = base.clone();
    let step_up = base.reauthentication.step_up.clone();
    let entropy = issuance.entropy.clone();
    let providers = Arc::new(providers(settings, client, &clock)?);
    let accounts = Arc::new(ResolveAccount {
        store: store.clone(),
        hasher,
        outbox: outbox.clone(),
        entropy: entropy.clone(),
        clock: clock.clone(),
    });
    Ok(ProviderUseCases {
        start: StartSignIn {
            providers: providers.clone(),
            store: store.clone(),
            sealer: sealer.clone(),
            entropy: entropy.clone(),
            clock: clock.clone(),
        },
        complete: CompleteSignIn {
            providers: providers.clone(),
            accounts: accounts.clone(),
            store: store.clone(),
            sealer: sealer.clone(),
            entropy: entropy.clone(),
            observer: observer.clone(),
            clock: clock.clone(),
        },
        exchange: exchange(base),
        continue_in_app: continue_in_app(base, &providers),
        native: NativeSignIn {
            providers: providers.clone(),
            accounts,
            store: store.clone(),
            gate,
            limits,
            observer,
            clock: clock.clone(),
        },
        link: StartLink {
            providers: providers.clone(),
            store: store.clone(),
            sealer,
            step_up: step_up.clone(),
            devices,
            authenticate: authenticate.clone(),
            entropy,
            clock,
        },
        list: ListIdentities { store: store.clone(), ceremonies: base.ceremonies.clone() },
        unlink: UnlinkIdentity { store, step_up, passkeys: base.ceremonies.clone(), outbox },
        providers,
    })
}

fn exchange(base: &Base) -> ExchangeCode {
    let Base { store, gate, limits, clock, .. } = base.clone();
    ExchangeCode { store, gate, limits, clock }
}

fn continue_in_app(base: &Base, providers: &Arc<Providers>) -> ContinueInApp {
    let Base { store, gate, issuance, clock, .. } = base.clone();
    ContinueInApp { providers: providers.clone(), gate, store, entropy: issuance.entropy.clone(), clock }
}

fn providers(settings: &Settings, client: Option<Client>, clock: &Arc<dyn Clock>) -> anyhow::Result<Providers> {
    let ProvidersSettings { list, redirect_uris, .. } = &settings.providers;
    let caches = KeyCaches::new(clock.clone());
    let list = match client {
        Some(client) => list.iter().map(|one| provider(one, client.clone(), &caches)).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    Ok(Providers { list, redirect_uris: redirect_uris.clone(), public_url: settings.mail.public_url.clone() })
}

fn provider(settings: &ProviderSettings, client: Client, caches: &KeyCaches) -> anyhow::Result<Provider> {
    let protocol = protocol(settings, client, caches)?;
    let ProviderSettings { name, kind, label, .. } = settings;
    let label = label.clone().unwrap_or_else(|| kind.default_label(name).to_owned());
    Ok(Provider {
        name: name.clone(),
        label,
        kind: *kind,
        policy: LinkingPolicy {
            sign_up: settings.sign_up,
            link_by_email: settings.link_by_email,
            allowed_domains: settings.allowed_domains.clone(),
        },
        second_factor: settings.provider_second_factor,
        protocol: Arc::new(protocol),
    })
}

/// Creates what speaks the protocol of a provider, with the defaults of its kind.
pub(crate) fn protocol(
    settings: &ProviderSettings,
    client: Arc<dyn OutboundHttp>,
    caches: &KeyCaches,
) -> anyhow::Result<OidcProvider> {
    let (name, kind) = (&settings.name, settings.kind);
    let response_mode = settings.response_mode.unwrap_or_else(|| kind.default_response_mode());
    let config = ProviderConfig {
        kind,
        issuer: settings.issuer.clone().or_else(|| kind.default_issuer().map(str::to_owned)).unwrap_or_default(),
        client_id: settings.client_id.clone(),
        credential: match &settings.credential {
            Credential::Secret(secret) => portcullis_oidc::Credential::Secret(secret.clone()),
            Credential::Apple { team_id, key_id, private_key } => portcullis_oidc::Credential::Apple {
                team_id: team_id.clone(),
                key_id: key_id.clone(),
                private_key: private_key.clone(),
            },
        },
        audiences: settings.audiences.clone(),
        scopes: settings.scopes.as_ref().map_or_else(|| kind.default_scopes().to_owned(), |scopes| scopes.join(" ")),
        response_mode: (response_mode == ResponseMode::FormPost).then(|| response_mode.as_str().to_owned()),
        tenants: settings.tenants.clone(),
        trust_email: settings.trust_email.unwrap_or_else(|| TrustEmail::default_for(kind)),
        nonce_required: !settings.nonce_optional,
    };
    OidcProvider::new(config, client, caches).with_context(|| format!("provider {name} cannot be used"))
}
