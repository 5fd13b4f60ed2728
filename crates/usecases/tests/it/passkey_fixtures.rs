//! Ada with passkeys, and short calls of their use cases.

use crate::mfa_fixtures::{EMAIL, PASSWORD};
use crate::world::{World, login, with};
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::login::{Credentials, Methods};
use portcullis_domain::mail::Occasion;
use portcullis_domain::passkeys::{Passkey, PasskeyId, default_name};
use portcullis_domain::registration::{Password, UserId};
use portcullis_ports::{Store, StoreError, StoreExt};
use portcullis_testkit::PlainKey;
use portcullis_usecases::login::{LogInReason, LoggedIn};
use portcullis_usecases::mfa::{
    Challenge, NewAccessToken, PrepareReauthentication, PresentedFactor, Reauthenticate, ReauthenticationInput,
    ReauthenticationOptions, ReauthenticationProof, SecondFactorVerification, VerifySecondFactor,
};
use portcullis_usecases::passkeys::{
    AddPasskey, LogInWithPasskey, PasskeyAdded, PasskeyError, PasskeyLogIn, PasskeyLogInError, PasskeyLogInReason,
    PasskeyRegistration, PreparePasskey, RemovePasskey, RequestOptions,
};
use portcullis_usecases::tokens::{Authenticated, TokenPair};
use portcullis_usecases::{Caller, Counted, UseCaseError};
use serde_json::Value;
use std::sync::Arc;

/// RP ID of the service.
pub(crate) const RP_ID: &str = "example.org";

/// Ada, who is logged in and has verified her email address.
pub(crate) struct Holder {
    pub(crate) world: World,
    pub(crate) id: UserId,
    pub(crate) pair: TokenPair,
}

/// What the store holds of her.
#[derive(Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) credentials: Credentials,
    pub(crate) passkeys: Vec<Passkey>,
    pub(crate) recovery_codes: u32,
    pub(crate) sessions: usize,
    pub(crate) mails: usize,
}

impl Holder {
    pub(crate) fn new() -> Self {
        Self::of(World::new().noticing(&[Occasion::PasskeyAdded, Occasion::PasskeyRemoved, Occasion::FactorRemoved]))
    }

    pub(crate) fn of(world: World) -> Self {
        let pair = world.verified_ada();
        let id = world.authenticate(&pair.access_token).unwrap().user.id;
        Self { world, id, pair }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.world.store.clone()
    }

    pub(crate) fn session(&self) -> Authenticated {
        self.world.authenticate(&self.pair.access_token).unwrap()
    }

    pub(crate) fn stored(&self) -> Stored {
        let read = self.world.store.read(|tx| {
            let recovery_codes = tx.factors().recovery_codes_left(self.id)?;
            Ok::<_, StoreError>((tx.passkeys().list(self.id)?, recovery_codes))
        });
        let (passkeys, recovery_codes) = read.unwrap();
        let sessions = self.world.store.sessions_of(self.id);
        Stored {
            credentials: self.world.owner(self.id).credentials,
            passkeys,
            recovery_codes,
            sessions: sessions.iter().filter(|session| session.ended_at.is_none()).count(),
            mails: self.world.store.mails().len(),
        }
    }

    /// Returns the challenge of a registration, and `user.id` stored by `key`.
    pub(crate) fn prepare(&self, key: &mut PlainKey, second_factor: bool) -> Result<[u8; 32], PasskeyError> {
        let (store, step_up, ceremonies) = (self.store(), self.world.step_up(), self.world.ceremonies.clone());
        let options = PreparePasskey { store, step_up, ceremonies }.run(&self.session(), second_factor)?;
        key.handle = Some(options.user_handle);
        Ok(*options.challenge.as_bytes())
    }

    pub(crate) fn add_response(&self, response: &Value, second_factor: bool) -> Result<PasskeyAdded, PasskeyError> {
        let verb = AddPasskey {
            store: self.store(),
            step_up: self.world.step_up(),
            ceremonies: self.world.ceremonies.clone(),
            second_factor: self.world.second_factor(self.store()),
        };
        let (session, name, credential) = (self.session(), default_name(), response.to_string());
        verb.run(PasskeyRegistration { session, name, second_factor, credential }, &Caller::default())
    }

    /// Adds a key as a passkey.
    pub(crate) fn add(&self, key: &mut PlainKey, second_factor: bool) -> Result<PasskeyAdded, PasskeyError> {
        let challenge = self.prepare(key, second_factor)?;
        self.add_response(&key.register(&challenge), second_factor)
    }

    /// Returns a new key that is one of her passkeys.
    pub(crate) fn key(&self, id: u8) -> PlainKey {
        let mut key = PlainKey::new(id, RP_ID);
        self.add(&mut key, false).unwrap();
        key
    }

    /// Returns a new key without the user's verification that is one of her second factors.
    pub(crate) fn factor(&self, id: u8) -> PlainKey {
        let mut key = PlainKey { flags: PlainKey::PRESENT, ..PlainKey::new(id, RP_ID) };
        self.add(&mut key, true).unwrap();
        key
    }

    pub(crate) fn remove(&self, id: PasskeyId, is_required: bool) -> Result<(), PasskeyError> {
        let (store, step_up, outbox) = (self.store(), self.world.step_up(), self.world.outbox.clone());
        let ceremonies = self.world.ceremonies.clone();
        RemovePasskey { store, step_up, ceremonies, outbox, is_required }.run(&self.session(), id, &Caller::default())
    }

    pub(crate) fn sign_in_options(&self) -> [u8; 32] {
        *self.world.ceremonies.log_in_options().unwrap().challenge.as_bytes()
    }

    pub(crate) fn sign_in_response(
        &self,
        store: Arc<dyn Store>,
        response: &Value,
    ) -> Result<LoggedIn, PasskeyLogInError> {
        let verb = LogInWithPasskey {
            gate: self.world.verb_on(store.clone()).gate,
            store,
            ceremonies: self.world.ceremonies.clone(),
            limits: self.world.limits.clone(),
            observer: Arc::new(()),
            clock: self.world.clock.clone(),
        };
        verb.run(&PasskeyLogIn { credential: response.to_string() }, &Caller::default())
    }

    /// Signs in with a key.
    pub(crate) fn sign_in(&self, key: &PlainKey) -> Result<LoggedIn, PasskeyLogInError> {
        self.sign_in_response(self.store(), &key.sign(&self.sign_in_options()))
    }

    /// Returns the challenge of a login with her password.
    pub(crate) fn challenge(&self) -> Challenge {
        let refused = self.world.verb().run(&login(EMAIL, PASSWORD), &Caller::default());
        let Err(UseCaseError::Refused(LogInReason::SecondFactorRequired(challenge))) = refused else {
            unreachable!("a login without a second factor")
        };
        *challenge
    }

    pub(crate) fn verify(&self, mfa_token: &str, response: &Value) -> Result<LoggedIn, ErrorCode> {
        self.verify_on(self.store(), mfa_token, response)
    }

    pub(crate) fn verify_on(
        &self,
        store: Arc<dyn Store>,
        mfa_token: &str,
        response: &Value,
    ) -> Result<LoggedIn, ErrorCode> {
        let verb = VerifySecondFactor {
            challenges: self.world.challenges(store.clone()),
            second_factor: self.world.second_factor(store.clone()),
            gate: self.world.verb_on(store).gate,
        };
        let (mfa_token, factor) = (mfa_token.to_owned(), PresentedFactor::Passkey(response.to_string()));
        let input = SecondFactorVerification { mfa_token, factor, remember_device: false };
        verb.run(&input, &with(None)).map_err(|error| error.code())
    }

    pub(crate) fn reauthentication_options(&self) -> ReauthenticationOptions {
        PrepareReauthentication { store: self.store(), step_up: self.world.step_up() }.run(&self.session()).unwrap()
    }

    pub(crate) fn reauthenticate(&self, proof: ReauthenticationProof) -> Result<NewAccessToken, ErrorCode> {
        let verb = Reauthenticate {
            reauthentication: self.world.owners_on(self.store()),
            second_factor: self.world.second_factor(self.store()),
            issuance: self.world.issuance.clone(),
        };
        let input = ReauthenticationInput { session: self.session(), proof };
        verb.run(&input, &Caller::default()).map_err(|error| error.code())
    }

    /// Presents her password, with no code.
    pub(crate) fn by_password() -> ReauthenticationProof {
        ReauthenticationProof::Password { password: Password::new(PASSWORD), code: None }
    }

    /// Returns the methods of the last authentication of a session.
    pub(crate) fn methods(&self, pair: &TokenPair) -> Methods {
        self.world.authenticate(&pair.access_token).unwrap().authentication.unwrap().methods
    }

    /// Logs in again, long enough ago that the session is no longer recent.
    pub(crate) fn wait(&self) {
        self.world.pass(TimeDelta::minutes(11));
    }
}

/// Returns the challenge of options to sign.
pub(crate) fn challenge_of(options: Option<&RequestOptions>) -> [u8; 32] {
    *options.unwrap().challenge.as_bytes()
}

/// Returns the code of a refused sign-in, and whether the credential is unknown.
pub(crate) fn refusal(outcome: Result<LoggedIn, PasskeyLogInError>) -> Option<(ErrorCode, bool)> {
    let error = outcome.err()?;
    let unknown = matches!(error, UseCaseError::Refused(PasskeyLogInReason::Refused { unknown: true }));
    Some((error.code(), unknown))
}
