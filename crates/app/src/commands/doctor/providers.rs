//! Checks the identity providers: their metadata and keys can be fetched, and the clocks agree. Prints the
//! callback URLs, which the operator registers with the providers.

use super::{Finding, clocks};
use crate::settings::{Provider, Settings};
use crate::wire::outbound::{self, Client};
use crate::wire::providers::protocol;
use anyhow::Context;
use portcullis_oidc::{KeyCaches, ProviderStatus};
use portcullis_ports::Clock;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub(super) const CHECK: &str = "providers";
/// Time limit of this check. A provider has 5 s for its metadata and 5 s for its keys.
pub(super) const CHECK_TIMEOUT: Duration = Duration::from_secs(11);

/// Checks all providers concurrently.
pub(super) fn examine(settings: &Settings, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let Some(client) = outbound::client(&settings.providers, clock) else { return Vec::new() };
    thread::scope(|scope| {
        let check = |provider| {
            let (client, public_url) = (client.clone(), settings.mail.public_url.as_str());
            scope.spawn(move || one(provider, client, public_url, clock))
        };
        let running: Vec<_> = settings.providers.list.iter().map(check).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
    })
}

fn one(provider: &Provider, client: Client, public_url: &str, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let name = &provider.name;
    let callback = format!("its callback URL is {public_url}/auth/providers/{name}/callback");
    let ProviderStatus { keys, clock_skew } = match status(provider, client, clock) {
        Ok(status) => status,
        Err(error) => {
            let what = format!("{name} cannot be used: {error:#}; {callback}");
            return vec![Finding::error(
                CHECK,
                what,
                "check its ISSUER and the network; until then no one signs in with it",
            )];
        }
    };
    let keys = keys.map(|keys| format!(" with {keys} keys")).unwrap_or_default();
    let skew = clock_skew.map(|skew| {
        let now = clock.now();
        clocks(&format!("the clock of {name}"), now, now + skew)
    });
    let found = Finding::ok(CHECK, format!("{name} responds{keys}; {callback}"));
    std::iter::once(found).chain(skew).collect()
}

fn status(provider: &Provider, client: Client, clock: &Arc<dyn Clock>) -> anyhow::Result<ProviderStatus> {
    protocol(provider, client, &KeyCaches::new(clock.clone()))?.check(clock.now()).context("no usable response")
}
