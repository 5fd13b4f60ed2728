//! Wires the second factors of a user.

use super::Base;
use crate::settings::Settings;
use portcullis_http::MfaUseCases;
use portcullis_usecases::mfa::{
    Challenges, ConfirmTotp, EnrolTotp, ListFactors, PrepareReauthentication, Reauthenticate, RemoveTotp, RenameTotp,
    RenewRecoveryCodes, TrustedDevices, VerifySecondFactor,
};
use std::sync::Arc;

pub(super) fn use_cases(base: &Base, settings: &Settings) -> MfaUseCases {
    let Base { store, sealer, second_factor, gate, devices, outbox, issuance, clock, .. } = base.clone();
    let step_up = base.reauthentication.step_up.clone();
    let challenges = Arc::new(Challenges {
        store: store.clone(),
        verifier: base.verifier.clone(),
        tokens: outbox.tokens.clone(),
        clock: clock.clone(),
    });
    MfaUseCases {
        list: ListFactors { store: store.clone() },
        enrol: EnrolTotp {
            challenges: challenges.clone(),
            step_up: step_up.clone(),
            sealer,
            entropy: issuance.entropy.clone(),
            product: settings.server.app_name.clone(),
            clock: clock.clone(),
        },
        confirm: ConfirmTotp {
            challenges: challenges.clone(),
            second_factor: second_factor.clone(),
            gate: gate.clone(),
        },
        rename: RenameTotp { store: store.clone() },
        remove: RemoveTotp {
            store: store.clone(),
            step_up: step_up.clone(),
            outbox,
            is_required: settings.mfa.is_required,
            clock: clock.clone(),
        },
        renew_recovery_codes: RenewRecoveryCodes {
            store: store.clone(),
            step_up: step_up.clone(),
            entropy: issuance.entropy.clone(),
        },
        prepare_reauthentication: PrepareReauthentication { store: store.clone(), step_up },
        verify: VerifySecondFactor { challenges: challenges.clone(), second_factor: second_factor.clone(), gate },
        devices: TrustedDevices { store, devices, clock },
        reauthenticate: Reauthenticate { reauthentication: base.reauthentication.clone(), second_factor, issuance },
        challenges,
    }
}
