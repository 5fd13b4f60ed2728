//! Wires the change and reset of passwords.

use super::{Base, verification};
use portcullis_domain::mail::Occasion;
use portcullis_http::RecoveryUseCases;
use portcullis_usecases::recovery::{ChangePassword, ResetPassword};

pub(super) fn use_cases(base: &Base) -> RecoveryUseCases {
    let Base { store, hasher, screening, guesses, reauthentication, outbox, clock, .. } = base.clone();
    RecoveryUseCases {
        change: ChangePassword {
            reauthentication,
            screening: screening.clone(),
            outbox: outbox.clone(),
            clock: clock.clone(),
        },
        request: verification::request_link(base, Occasion::ResetPassword),
        reset: ResetPassword { store, hasher, screening, guesses, tokens: outbox.tokens.clone(), outbox, clock },
    }
}
