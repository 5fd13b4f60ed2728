//! The composition root: connects every trait to its implementation. [`Base`] has what the use cases
//! share; each feature has a file that creates its use cases from it.

mod base;
mod circuits;
mod context;
mod hash_costs;
mod hasher;
mod lanes;
mod login;
mod mail;
mod metrics;
mod mfa;
pub(crate) mod outbound;
#[cfg(test)]
mod page_tests;
mod pages;
mod passkeys;
pub(crate) mod providers;
mod recovery;
mod registration;
mod replicas;
mod sessions;
mod tokens;
mod traces;
mod verification;

pub use base::{Adapters, Base};
pub use lanes::Operation;

pub(crate) use base::{outbox, screening, sealer};
pub(crate) use context::{AppContext, open_database};
pub(crate) use hash_costs::CostSampling;
pub(crate) use hasher::{cores, cost, stored_costs};
pub(crate) use mail::smtp;
pub(crate) use traces::Traces;

use crate::settings::Settings;
use crate::system::{self, OsEntropy};
use anyhow::Context;
use mail::MailService;
use pages::PageTemplates;
use portcullis_aws_lc::HmacTotp;
use portcullis_bcrypt::StoredCosts;
use portcullis_http::{AccountPages, Api, HttpConfig, TokenCookies};
use portcullis_ports::CircuitMonitor;
use portcullis_resilience::Breaker;
use portcullis_usecases::health::CheckReadiness;
use portcullis_webauthn::WebauthnVerifier;
use portcullis_worker::Worker;
use replicas::SharedRedis;
use std::sync::Arc;

/// Creates the API and starts the email worker.
pub(crate) fn service(
    settings: &Settings,
    parts: &AppContext,
    costs: &Arc<StoredCosts>,
) -> anyhow::Result<(Api, Worker)> {
    let (clock, metrics, traces) = (&parts.clock, &parts.metrics, &parts.traces);
    let replicas = SharedRedis::connect(settings, clock).context("cannot start the Redis thread")?;
    let replicas = replicas.as_ref();
    let (database, writes) = (circuits::database(replicas, clock)?, circuits::database_writes(clock));
    let database = Breaker::new("database", parts.database.store.clone(), database).with_writes(writes.clone());
    let database = Arc::new(database);
    let (hasher, hashes) = hasher::start(settings, parts, costs)?;
    let mail = MailService::new(settings, clock);
    let adapters = Adapters {
        store: traces.store(metrics.store(database.clone())?),
        hasher,
        issuer: traces.issuer(settings.keys.issuer.clone()),
        verifier: traces.verifier(settings.keys.verifier.clone()),
        sealer: traces.sealer(sealer(&settings.encryption)?),
        totp: Arc::new(HmacTotp),
        passkeys: Arc::new(WebauthnVerifier),
        second_factors: metrics.second_factors()?,
        limits: Arc::new(replicas::limits(settings, replicas, parts)?),
        outbox: mail.notifier(),
        entropy: Arc::new(OsEntropy),
        clock: clock.clone(),
    };
    let base = Base::new(settings, adapters)?;
    let operation = Operation {
        metrics: metrics.clone(),
        hashes,
        database: Some(database),
        writes: Some(Arc::new(Breaker::new(circuits::DATABASE_WRITES, (), writes))),
        shared: replicas.map(SharedRedis::monitor),
        mail: Some(mail.circuit()),
        providers: outbound::client(&settings.providers, clock),
    };
    let api = api(settings, &base, operation)?;
    Ok((api, mail.start(settings, parts, &base)?))
}

/// Creates the API and starts the threads of its lanes.
///
/// # Errors
/// If a thread cannot start, or a metric cannot be registered.
pub fn api(settings: &Settings, base: &Base, operation: Operation) -> anyhow::Result<Api> {
    let Base { store, limits, clock, .. } = base.clone();
    let metrics = &operation.metrics;
    let provider_circuits = operation.providers.clone().map(|client| -> Arc<dyn CircuitMonitor> { client });
    let sign_ins = metrics.sign_ins()?;
    let refresh = Arc::new(tokens::refresh(base, settings, metrics.verdicts()?));
    let authenticate = Arc::new(tokens::authenticate(base));
    let circuits = operation.circuits();
    metrics.circuits(&circuits)?;
    Ok(Api {
        register: registration::register(base),
        log_in: login::log_in(base),
        delete_own_account: registration::delete_own_account(base),
        recovery: recovery::use_cases(base),
        verification: verification::use_cases(base),
        mfa: mfa::use_cases(base, settings),
        passkeys: passkeys::use_cases(base, settings, sign_ins.clone()),
        providers: providers::use_cases(base, settings, &authenticate, (operation.providers.clone(), sign_ins))?,
        log_out: sessions::log_out(base),
        sessions: sessions::use_cases(base, settings),
        public_keys: settings.keys.verifier.public_keys(),
        passwords: settings.passwords.policy,
        lanes: operation.lanes(settings, &refresh, &authenticate)?,
        pages: Arc::new(PageTemplates(base.renderer.clone())),
        observer: metrics.requests()?,
        logins: metrics.logins()?,
        config: http(settings),
        refresh,
        authenticate,
        readiness: CheckReadiness {
            store,
            circuits,
            shared: operation.shared,
            mail: operation.mail,
            providers: provider_circuits,
            limits: limits.clone(),
            clock,
        },
        limits,
    })
}

fn http(settings: &Settings) -> HttpConfig {
    let (links, public_url) = (&settings.mail.links, &settings.mail.public_url);
    let is_own = |link: &str, page: &str| link.starts_with(&format!("{public_url}{page}?"));
    let (verify, reset) = (is_own(&links.verify, "/account/verify"), is_own(&links.reset, "/account/reset"));
    let is_https = settings.mail.public_origin.starts_with("https://");
    HttpConfig {
        account_pages: AccountPages { verify, reset, enabled: settings.pages.enabled, sign_up: settings.pages.sign_up },
        related_origins: settings.passkeys.related_origins.clone(),
        app_name: settings.server.app_name.clone(),
        public_origin: settings.mail.public_origin.clone(),
        brand: settings.pages.brand.clone(),
        public_path: settings.mail.public_path(),
        cors_origins: settings.server.cors_origins.clone(),
        cookies: settings
            .cookies
            .is_on
            .then(|| TokenCookies::new(is_https, settings.cookies.domain.clone(), settings.tokens.lifetimes)),
        proxies: settings.limits.proxies.clone(),
        forwarded: settings.limits.forwarded,
        hsts_seconds: if is_https { settings.server.hsts_seconds } else { 0 },
        log_health: settings.logging.health,
        random: system::random_request_id,
    }
}
