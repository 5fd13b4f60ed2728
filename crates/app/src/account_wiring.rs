//! Wires the account use cases: registration, login, passwords, email addresses and account deletion.

use portcullis_domain::mail::Occasion;
use portcullis_domain::sessions::SessionPolicy;
use portcullis_http::{RecoveryUseCases, VerificationUseCases};
use portcullis_ports::{Clock, PasswordHasher, Store};
use portcullis_usecases::limits::{DeviceCookies, Guesses, Limits};
use portcullis_usecases::login::{LogIn, Reauthentication};
use portcullis_usecases::mail::{Outbox, RequestLink};
use portcullis_usecases::recovery::{ChangePassword, ResetPassword};
use portcullis_usecases::registration::{DeleteAccount, DeleteOwnAccount, PasswordScreening, Register};
use portcullis_usecases::tokens::TokenFactory;
use portcullis_usecases::verification::{InspectToken, RequestEmailChange, VerifyEmail};
use std::sync::Arc;

/// Dependencies of the account use cases.
#[derive(Clone)]
pub(crate) struct AccountWiring {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    pub(crate) screening: Arc<PasswordScreening>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) devices: Arc<DeviceCookies>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl AccountWiring {
    pub(crate) fn register(&self) -> Register {
        let Self { store, hasher, screening, limits, outbox, clock, .. } = self.clone();
        Register { store, hasher, screening, outbox, limits, clock }
    }

    pub(crate) fn log_in(&self, issuance: Arc<TokenFactory>, sessions: SessionPolicy, verified: bool) -> LogIn {
        let (guesses, Self { store, hasher, devices, outbox, clock, .. }) = (self.guesses(), self.clone());
        LogIn { store, hasher, issuance, sessions, guesses, devices, outbox, require_verified_email: verified, clock }
    }

    pub(crate) fn guesses(&self) -> Arc<Guesses> {
        let Self { store, limits, devices, .. } = self.clone();
        Arc::new(Guesses { limits, devices, store })
    }

    pub(crate) fn recovery(&self) -> RecoveryUseCases {
        let Self { store, hasher, screening, outbox, clock, .. } = self;
        RecoveryUseCases {
            change: ChangePassword {
                reauthentication: self.reauthentication(),
                screening: screening.clone(),
                outbox: outbox.clone(),
                clock: clock.clone(),
            },
            request: self.request_link(Occasion::ResetPassword),
            reset: ResetPassword {
                store: store.clone(),
                hasher: hasher.clone(),
                screening: screening.clone(),
                guesses: self.guesses(),
                tokens: outbox.tokens.clone(),
                outbox: outbox.clone(),
                clock: clock.clone(),
            },
        }
    }

    pub(crate) fn verification(&self) -> VerificationUseCases {
        let Self { store, devices, outbox, clock, .. } = self;
        let tokens = &outbox.tokens;
        VerificationUseCases {
            verify: VerifyEmail {
                reauthentication: self.reauthentication(),
                tokens: tokens.clone(),
                devices: devices.clone(),
                outbox: outbox.clone(),
                clock: clock.clone(),
            },
            inspect: InspectToken {
                store: store.clone(),
                tokens: tokens.clone(),
                devices: devices.clone(),
                clock: clock.clone(),
            },
            resend: self.request_link(Occasion::VerifyEmail),
            change: RequestEmailChange {
                reauthentication: self.reauthentication(),
                tokens: tokens.clone(),
                outbox: outbox.clone(),
                clock: clock.clone(),
            },
        }
    }

    fn request_link(&self, occasion: Occasion) -> RequestLink {
        let Self { store, limits, outbox, clock, .. } = self.clone();
        RequestLink { occasion, store, outbox, limits, clock }
    }

    pub(crate) fn delete_own_account(&self) -> DeleteOwnAccount {
        let deletion = DeleteAccount { store: self.store.clone(), clock: self.clock.clone() };
        DeleteOwnAccount { reauthentication: self.reauthentication(), deletion: Arc::new(deletion) }
    }

    fn reauthentication(&self) -> Arc<Reauthentication> {
        let Self { store, hasher, devices, .. } = self.clone();
        Arc::new(Reauthentication { store, hasher, guesses: self.guesses(), devices })
    }
}
