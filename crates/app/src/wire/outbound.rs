//! Wires HTTP calls to identity providers.

use super::circuits;
use crate::settings::Providers;
use portcullis_ports::Clock;
use portcullis_resilience::OutboundBreaker;
use portcullis_ureq::{AddressPolicy, UreqHttp};
use std::sync::Arc;

/// Client for calls to providers.
pub(crate) type Client = Arc<OutboundBreaker<UreqHttp>>;

/// Creates the client, with a circuit for each server of a provider, or `None` if there are no providers.
pub(crate) fn client(providers: &Providers, clock: &Arc<dyn Clock>) -> Option<Client> {
    if providers.list.is_empty() {
        return None;
    }
    let issuers = providers.list.iter().filter_map(|provider| provider.issuer.as_deref());
    let policy = issuers.fold(AddressPolicy::new(providers.private_addresses), AddressPolicy::with_origin);
    let clock = clock.clone();
    let create = move |destination: &str| circuits::provider(destination, &clock);
    Some(Arc::new(OutboundBreaker::new("providers", UreqHttp::new(policy), create)))
}
