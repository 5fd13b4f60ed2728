//! Wires the login.

use super::Base;
use crate::settings::Settings;
use portcullis_usecases::login::LogIn;

pub(super) fn log_in(base: &Base, settings: &Settings) -> LogIn {
    let Base { store, hasher, issuance, sessions, guesses, devices, outbox, clock, .. } = base.clone();
    let require_verified_email = settings.mail.require_verified;
    LogIn { store, hasher, issuance, sessions, guesses, devices, outbox, require_verified_email, clock }
}
