//! Wires the login.

use super::Base;
use crate::settings::Settings;
use portcullis_usecases::login::LogIn;
use portcullis_usecases::sessions::BeginSession;
use std::sync::Arc;

pub(super) fn log_in(base: &Base, settings: &Settings) -> LogIn {
    let Base { store, issuance, sessions, devices, outbox, clock, .. } = base.clone();
    let beginning = Arc::new(BeginSession { store, issuance, sessions, devices, outbox, clock });
    let Base { store, hasher, guesses, devices, outbox, .. } = base.clone();
    let require_verified_email = settings.mail.require_verified;
    LogIn { store, hasher, guesses, devices, outbox, require_verified_email, beginning }
}
