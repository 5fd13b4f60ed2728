//! Wires passkeys.

use super::Base;
use crate::settings::Settings;
use portcullis_http::PasskeyUseCases;
use portcullis_ports::SignInObserver;
use portcullis_usecases::passkeys::{
    AddPasskey, ListPasskeys, LogInWithPasskey, PreparePasskey, RemovePasskey, RenamePasskey,
};
use std::sync::Arc;

pub(super) fn use_cases(base: &Base, settings: &Settings, observer: Arc<dyn SignInObserver>) -> PasskeyUseCases {
    let Base { store, second_factor, gate, limits, outbox, ceremonies, clock, .. } = base.clone();
    let step_up = base.reauthentication.step_up.clone();
    PasskeyUseCases {
        prepare: PreparePasskey { store: store.clone(), step_up: step_up.clone(), ceremonies: ceremonies.clone() },
        add: AddPasskey {
            store: store.clone(),
            step_up: step_up.clone(),
            ceremonies: ceremonies.clone(),
            second_factor,
        },
        list: ListPasskeys { store: store.clone(), ceremonies: ceremonies.clone() },
        rename: RenamePasskey { store: store.clone(), ceremonies: ceremonies.clone() },
        remove: RemovePasskey {
            store: store.clone(),
            step_up,
            ceremonies: ceremonies.clone(),
            outbox,
            is_required: settings.mfa.is_required,
        },
        log_in: LogInWithPasskey { store, ceremonies: ceremonies.clone(), gate, limits, observer, clock },
        ceremonies,
    }
}
