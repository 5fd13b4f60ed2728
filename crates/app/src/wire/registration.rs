//! Wires the registration and deletion of accounts.

use super::Base;
use portcullis_usecases::registration::{DeleteAccount, DeleteOwnAccount, Register};
use std::sync::Arc;

pub(super) fn register(base: &Base) -> Register {
    let Base { store, hasher, screening, outbox, limits, clock, .. } = base.clone();
    Register { store, hasher, screening, outbox, limits, clock }
}

pub(super) fn delete_own_account(base: &Base) -> DeleteOwnAccount {
    let Base { store, reauthentication, clock, .. } = base.clone();
    DeleteOwnAccount { reauthentication, deletion: Arc::new(DeleteAccount { store, clock }) }
}
