//! Passkeys, on both databases. The name of a test begins with the number of the sentence it holds:
//!
//! | number | sentence |
//! |---|---|
//! | C2.1 | `POST /auth/passkeys/options`: the browser's own JSON, for a passkey and for a second factor |
//! | C2.2 | `user.id` is 32 random bytes per account; all passkeys of the account are excluded |
//! | C2.3 | `POST /auth/passkeys`: the view; three algorithms; the name |
//! | C2.4 | every wrong field has its code, and is 401 elsewhere |
//! | C2.5 | `passkey_taken` by any account, `too_many` |
//! | C2.6 | `GET /auth/passkeys`: fields, `signal` |
//! | C2.7 | `PATCH /auth/passkeys/{id}` |
//! | C2.8 | `DELETE /auth/passkeys/{id}`, `last_sign_in_method` |
//! | C2.9 | what changes passkeys needs a bearer token and recent authentication |
//! | C2.10 | `login/options` reveal no account |
//! | C2.11 | `login`: 401 for everything wrong, `unknown_credential` only if no account has it |
//! | C2.12 | both factors with the user's verification: `amr`, `auth_time`; refreshes copy them |
//! | C2.13 | one factor without: 403 with another second factor, else 401 |
//! | C2.14 | a second factor does not sign in |
//! | C2.15 | one gate: new devices, `MAX_SESSIONS_PER_USER`, cookies (`mfa::ways` has the other states) |
//! | C2.16 | a challenge has 32 bytes, one purpose, one account or none, and works once |
//! | C2.17 | a challenge lives for 5 minutes |
//! | C2.18 | options store nothing; the digest of a used challenge is stored |
//! | C2.19 | a counter that does not grow is refused with an `app.security` line |
//! | C2.20 | backup flags are stored and never compared |
//! | C2.21 | the first second factor: recovery codes, other sessions end, the mark of the hash |
//! | C2.22 | `AUTH_MFA_REQUIRED`: `methods` in their order; `publicKey` only if the account has a passkey |
//! | C2.23 | `/auth/mfa/verify` by `credential`; the `mfa_token` survives a wrong one |
//! | C2.24 | the removal of the last second factor; `MFA_REQUIRED` |
//! | C2.25 | trusted devices end with any change of second factors |
//! | C2.26 | `RATE_LIMIT_MFA` and the budget of password checks |
//! | C2.27 | `RATE_LIMIT_SOURCE` |
//! | C2.28 | `reauthenticate` by `credential`, and its options |
//! | C2.29 | verification, reset, reclaim, an operator and deletion end passkeys |
//! | C2.30 | emails `passkey_added` and `passkey_removed` |
//! | C2.31 | another RP ID: `usable:false`, refused, counted by `doctor` |
//! | C2.32 | related origins; settings that stop the start; passkeys are off where the host is an IP address |

mod clock;
mod endings;
mod factors;
mod limits;
mod login;
mod own;
mod registration;
mod responses;
mod settings;

use crate::harness::mfa::texts;
use crate::harness::passkeys::{Added, ORIGIN, RP_ID, SoftwarePasskey, UP, new_key};
use crate::prelude::*;
use portcullis_testkit::authenticator::{BE, BS, Ceremony, UV};
use std::fmt::Debug;
use std::ops::Deref;
use std::sync::OnceLock;

/// Service with passkeys.
pub(crate) struct Home(Service);

impl Fixture for &'static Home {
    fn on(backend: Backend) -> Self {
        static SHARED: [OnceLock<Home>; 2] = [OnceLock::new(), OnceLock::new()];
        let shared = &SHARED[usize::from(backend == Backend::Postgres)];
        shared.get_or_init(|| Home(backend.service().with_passkeys().start()))
    }
}

impl Deref for Home {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.0
    }
}

fn amr(pair: &Pair) -> Vec<String> {
    texts(&jose::claims(&pair.access)["amr"])
}

impl Reply {
    /// Checks for the refusal of a registration with this code.
    #[track_caller]
    fn refused(&self, code: &str) {
        self.expect_fields(&["credential"]);
        assert_eq!(self.json()["error"]["details"]["errors"][0]["code"], code, "{}", self.text());
    }

    /// Checks for the 401 of a passkey. It reveals nothing.
    #[track_caller]
    fn wrong_passkey(&self) {
        assert_eq!(self.expect_error(401, "AUTH_INVALID_CREDENTIALS"), json!({}), "{}", self.request);
    }

    #[track_caller]
    fn unknown_passkey(&self) {
        let details = self.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(details, json!({"unknown_credential": true}), "{}", self.request);
    }
}

/// What a response of an authenticator is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Register,
    RegisterFactor,
    LogIn,
    SecondFactor,
    Reauthenticate,
}
/// Change of a ceremony before the authenticator responds.
type Change = fn(&mut Ceremony);

use Use::{LogIn, Reauthenticate, Register, RegisterFactor, SecondFactor};

const USES: [Use; 5] = [Register, RegisterFactor, LogIn, SecondFactor, Reauthenticate];

impl Use {
    /// Checks that a response was accepted, or refused: with this code if it was a registration, and with the
    /// same 401 otherwise.
    #[track_caller]
    fn expect(self, reply: &Reply, fault: Option<&str>, what: impl Debug) {
        let is_new = matches!(self, Register | RegisterFactor);
        let details = &reply.json()["error"]["details"];
        let found = if is_new { &details["errors"][0]["code"] } else { details };
        let (status, expected) = match (fault, is_new) {
            (None, true) => (201, Value::Null),
            (None, false) => (200, Value::Null),
            (Some(code), true) => (422, json!(code)),
            (Some(_), false) => (401, json!({})),
        };
        assert_eq!((reply.status, found), (status, &expected), "{self:?}, {what:?}: {}", reply.text());
    }
}

/// Account with a passkey that signs in, and another one that is a second factor.
struct Holder<'a> {
    service: &'a Service,
    account: Account,
    pair: Pair,
    passkey: Added,
    factor: Added,
}

impl<'a> Holder<'a> {
    #[track_caller]
    fn new(service: &'a Service) -> Self {
        let (account, pair) = service.session();
        let (passkey, factor) = (service.add_passkey(&pair), service.add_security_key(&pair));
        Self { service, account, pair, passkey, factor }
    }

    /// Returns the service's options for a use.
    #[track_caller]
    fn options(&self, to: Use) -> Value {
        let (service, access) = (self.service, &self.pair.access);
        match to {
            Register => service.passkey_options(access, false),
            RegisterFactor => service.passkey_options(access, true),
            LogIn => service.sign_in_options(),
            SecondFactor => self.details()["publicKey"].clone(),
            Reauthenticate => service.reauthentication_options(access)["publicKey"].clone(),
        }
    }

    /// Returns the details of the 403 that a login with the password gets.
    #[track_caller]
    fn details(&self) -> Value {
        self.service.login(&self.account.email, &self.account.password).expect_error(403, "AUTH_MFA_REQUIRED")
    }

    /// Returns the response for a use to this challenge, changed.
    fn respond(&mut self, to: Use, challenge: &Value, change: impl FnOnce(&mut Ceremony)) -> Value {
        let user_id = jose::base64url(self.passkey.key.user_handle.as_ref().unwrap());
        let options = json!({"challenge": challenge, "rpId": RP_ID, "rp": {"id": RP_ID}, "user": {"id": user_id}});
        match to {
            Register | RegisterFactor => new_key(ORIGIN).register_with(&options, change),
            LogIn | Reauthenticate => self.passkey.key.sign_with(&options, change),
            SecondFactor => self.factor.key.sign_with(&options, change),
        }
    }

    fn send(&self, to: Use, credential: &Value) -> Reply {
        let (service, access, proof) = (self.service, &self.pair.access, json!({"credential": credential}));
        match to {
            Register | RegisterFactor => service.send_passkey(access, credential, to == RegisterFactor),
            LogIn => service.send_sign_in("", credential),
            SecondFactor => service.second(&service.challenge(&self.account), &proof),
            Reauthenticate => service.reauthenticate(access, &proof),
        }
    }
}
