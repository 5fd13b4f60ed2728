//! Wires the verification and change of email addresses.

use super::Base;
use portcullis_domain::mail::Occasion;
use portcullis_http::VerificationUseCases;
use portcullis_usecases::mail::RequestLink;
use portcullis_usecases::verification::{InspectToken, RequestEmailChange, VerifyEmail};

pub(super) fn use_cases(base: &Base) -> VerificationUseCases {
    let Base { store, devices, reauthentication, outbox, clock, .. } = base.clone();
    let tokens = outbox.tokens.clone();
    VerificationUseCases {
        verify: VerifyEmail {
            reauthentication: reauthentication.clone(),
            tokens: tokens.clone(),
            devices: devices.clone(),
            outbox: outbox.clone(),
            clock: clock.clone(),
        },
        inspect: InspectToken { store, tokens: tokens.clone(), devices, clock: clock.clone() },
        resend: request_link(base, Occasion::VerifyEmail),
        change: RequestEmailChange { reauthentication, tokens, outbox, clock },
    }
}

pub(super) fn request_link(base: &Base, occasion: Occasion) -> RequestLink {
    let Base { store, limits, outbox, clock, .. } = base.clone();
    RequestLink { occasion, store, outbox, limits, clock }
}
