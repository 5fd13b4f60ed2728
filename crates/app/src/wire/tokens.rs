//! Wires the exchange and the check of tokens.

use super::Base;
use crate::settings::Settings;
use portcullis_ports::RefreshObserver;
use portcullis_usecases::tokens::{Authenticate, Refresh};
use std::sync::Arc;

pub(super) fn refresh(base: &Base, settings: &Settings, observer: Arc<dyn RefreshObserver>) -> Refresh {
    let Base { store, verifier, issuance, sessions, outbox, clock, .. } = base.clone();
    let (policy, require_verified_email) = (settings.tokens.refresh, settings.mail.require_verified);
    Refresh { store, verifier, issuance, policy, sessions, outbox, observer, require_verified_email, clock }
}

pub(super) fn authenticate(base: &Base) -> Authenticate {
    let Base { store, verifier, sessions, clock, .. } = base.clone();
    Authenticate { store, verifier, sessions, clock }
}
