//! Wires the sessions of a user.

use super::Base;
use super::base::signer;
use crate::settings::Settings;
use portcullis_http::SessionUseCases;
use portcullis_usecases::sessions::{ListSessions, LogOut, LogOutAll, PageSessions, ReadTimeline, RevokeSession};

pub(super) fn log_out(base: &Base) -> LogOut {
    let Base { store, verifier, clock, .. } = base.clone();
    LogOut { store, verifier, clock }
}

pub(super) fn use_cases(base: &Base, settings: &Settings) -> SessionUseCases {
    let Base { store, sessions, clock, .. } = base.clone();
    SessionUseCases {
        list: ListSessions { store: store.clone(), sessions, clock: clock.clone() },
        revoke: RevokeSession { store: store.clone(), clock: clock.clone() },
        log_out_all: LogOutAll { store: store.clone(), clock: clock.clone() },
        page: PageSessions {
            authenticator: signer(settings, "portcullis page sessions"),
            store: store.clone(),
            idle: settings.tokens.lifetimes.refresh,
            require_verified_email: settings.mail.require_verified,
            step_up: base.reauthentication.step_up.clone(),
            clock,
        },
        timeline: ReadTimeline { store },
    }
}
