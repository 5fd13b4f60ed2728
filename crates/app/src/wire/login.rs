//! Wires the login.

use super::Base;
use crate::settings::Settings;
use portcullis_domain::login::EntryPolicy;
use portcullis_usecases::login::{Gate, LogIn};
use portcullis_usecases::sessions::BeginSession;
use std::sync::Arc;

pub(super) fn log_in(base: &Base, settings: &Settings) -> LogIn {
    let Base { store, issuance, sessions, devices, outbox, clock, .. } = base.clone();
    let beginning = BeginSession { store, issuance, sessions, devices, outbox, clock };
    let policy = EntryPolicy { verified_email: settings.mail.require_verified };
    let gate = Arc::new(Gate { policy, beginning });
    let Base { store, hasher, guesses, devices, outbox, .. } = base.clone();
    LogIn { store, hasher, guesses, devices, outbox, gate }
}
