//! Puts together what owners do with their accounts: with passwords, with addresses, and by
//! leaving.

use portcullis_domain::sessions::SessionPolicy;
use portcullis_http::{Recovery, Verification};
use portcullis_ports::{Clock, PasswordHasher, Store};
use portcullis_usecases::limits::{Devices, Guesses, Limits};
use portcullis_usecases::login::{LogIn, Reauthentication};
use portcullis_usecases::mail::Post;
use portcullis_usecases::recovery::{ChangePassword, RequestReset, ResetPassword};
use portcullis_usecases::registration::{DeleteAccount, Leave, Register, Screening};
use portcullis_usecases::tokens::Issuance;
use portcullis_usecases::verification::{InspectToken, RequestEmailChange, ResendVerification, VerifyEmail};
use std::sync::Arc;

/// What they stand on.
#[derive(Clone)]
pub(crate) struct Owners {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    pub(crate) screening: Arc<Screening>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) devices: Arc<Devices>,
    pub(crate) post: Arc<Post>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Owners {
    pub(crate) fn register(&self) -> Register {
        let Self { store, hasher, screening, limits, post, clock, .. } = self.clone();
        Register { store, hasher, screening, post, limits, clock }
    }

    pub(crate) fn log_in(&self, issuance: Arc<Issuance>, sessions: SessionPolicy, verified: bool) -> LogIn {
        let (guesses, Self { store, hasher, devices, post, clock, .. }) = (self.guesses(), self.clone());
        LogIn { store, hasher, issuance, sessions, guesses, devices, post, require_verified_email: verified, clock }
    }

    pub(crate) fn guesses(&self) -> Arc<Guesses> {
        let Self { store, limits, devices, .. } = self.clone();
        Arc::new(Guesses { limits, devices, store })
    }

    pub(crate) fn recovery(&self) -> Recovery {
        let Self { store, hasher, screening, limits, post, clock, .. } = self;
        Recovery {
            change: ChangePassword {
                owners: self.reauthentication(),
                screening: screening.clone(),
                post: post.clone(),
                clock: clock.clone(),
            },
            request: RequestReset {
                store: store.clone(),
                post: post.clone(),
                limits: limits.clone(),
                clock: clock.clone(),
            },
            reset: ResetPassword {
                store: store.clone(),
                hasher: hasher.clone(),
                screening: screening.clone(),
                guesses: self.guesses(),
                tokens: post.tokens.clone(),
                post: post.clone(),
                clock: clock.clone(),
            },
        }
    }

    pub(crate) fn verification(&self) -> Verification {
        let Self { store, devices, limits, post, clock, .. } = self;
        let tokens = &post.tokens;
        Verification {
            verify: VerifyEmail {
                owners: self.reauthentication(),
                tokens: tokens.clone(),
                devices: devices.clone(),
                post: post.clone(),
                clock: clock.clone(),
            },
            inspect: InspectToken {
                store: store.clone(),
                tokens: tokens.clone(),
                devices: devices.clone(),
                clock: clock.clone(),
            },
            resend: ResendVerification {
                store: store.clone(),
                post: post.clone(),
                limits: limits.clone(),
                clock: clock.clone(),
            },
            change: RequestEmailChange {
                owners: self.reauthentication(),
                tokens: tokens.clone(),
                post: post.clone(),
                clock: clock.clone(),
            },
        }
    }

    pub(crate) fn leave(&self) -> Leave {
        let deletion = DeleteAccount { store: self.store.clone(), clock: self.clock.clone() };
        Leave { owners: self.reauthentication(), deletion: Arc::new(deletion) }
    }

    fn reauthentication(&self) -> Arc<Reauthentication> {
        let Self { store, hasher, devices, .. } = self.clone();
        Arc::new(Reauthentication { store, hasher, guesses: self.guesses(), devices })
    }
}
