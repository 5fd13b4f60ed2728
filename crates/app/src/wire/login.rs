//! Wires the login.

use super::Base;
use portcullis_usecases::login::LogIn;

pub(super) fn log_in(base: &Base) -> LogIn {
    let Base { store, hasher, guesses, devices, outbox, second_factor, gate, .. } = base.clone();
    LogIn { store, hasher, guesses, devices, outbox, second_factor, gate }
}
