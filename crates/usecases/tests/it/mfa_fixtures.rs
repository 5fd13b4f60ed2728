//! Ada with an authenticator app, and short calls of the use cases of second factors.

use crate::world::{World, login, with};
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::login::{Credentials, StepUpPolicy};
use portcullis_domain::mail::Occasion;
use portcullis_domain::mfa::{
    FactorId, FactorName, RecoveryCode, SealedSecret, TimeStep, TotpFactor, TotpSecret, TrustedDevice,
};
use portcullis_domain::registration::{Password, PasswordHash, UserId};
use portcullis_domain::sessions::Session;
use portcullis_ports::{Clock, Store, StoreError, StoreExt, TotpGenerator, Tx};
use portcullis_testkit::{PlainSealer, PlainTotp};
use portcullis_usecases::login::{LogInError, LogInReason, LoggedIn, PasswordLogin};
use portcullis_usecases::mfa::{
    Challenges, ConfirmTotp, EnrolTotp, Enrollee, FactorCode, Reauthenticate, ReauthenticationInput,
    ReauthenticationProof, RemoveTotp, RenewRecoveryCodes, SecondFactorVerification, StepUp, TotpConfirmation,
    TotpConfirmed, TotpEnrolled, TotpEnrolment, VerifySecondFactor,
};
use portcullis_usecases::tokens::{Authenticated, TokenPair};
use portcullis_usecases::{Caller, Counted};
use std::sync::Arc;

pub(crate) const EMAIL: &str = "ada@example.org";
pub(crate) const PASSWORD: &str = "correct horse";

/// Places that take the code of a second factor.
pub(crate) const PLACES: [Place; 3] = [Place::LogIn, Place::Verify, Place::Reauthenticate];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    LogIn,
    Verify,
    Reauthenticate,
}

/// Ada, who has an authenticator app.
pub(crate) struct Ada {
    pub(crate) world: World,
    pub(crate) id: UserId,
    pub(crate) pair: TokenPair,
    pub(crate) app: TotpEnrolled,
    pub(crate) codes: Vec<RecoveryCode>,
}

/// What the store holds of her.
#[derive(Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) credentials: Credentials,
    pub(crate) factors: Vec<TotpFactor>,
    pub(crate) recovery_codes: u32,
    pub(crate) devices: Vec<TrustedDevice>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) mails: usize,
}

/// Proof for a login, or for any other place.
pub(crate) type Proof = fn(&Ada) -> FactorCode;
pub(crate) const PROOFS: [Proof; 2] = [Ada::fresh_code, |ada| FactorCode::Recovery(ada.codes.first().unwrap().clone())];

pub(crate) fn world() -> World {
    World::new().noticing(&[Occasion::FactorAdded, Occasion::FactorRemoved, Occasion::RecoveryCodeUsed])
}

impl World {
    pub(crate) fn step_up(&self) -> Arc<StepUp> {
        let (passkeys, clock) = (self.ceremonies.clone(), self.clock.clone());
        Arc::new(StepUp { policy: StepUpPolicy::default(), passkeys, clock })
    }

    pub(crate) fn challenges(&self, store: Arc<dyn Store>) -> Arc<Challenges> {
        let (verifier, tokens, clock) = (self.tokens.clone(), self.one_time.clone(), self.clock.clone());
        Arc::new(Challenges { store, verifier, tokens, clock })
    }

    pub(crate) fn enrol(&self, store: Arc<dyn Store>, enrollee: Enrollee) -> Result<TotpEnrolled, ErrorCode> {
        let verb = EnrolTotp {
            challenges: self.challenges(store),
            step_up: self.step_up(),
            sealer: Arc::new(PlainSealer),
            entropy: self.issuance.entropy.clone(),
            product: "Gatehouse".to_owned(),
            clock: self.clock.clone(),
        };
        verb.run(TotpEnrolment { enrollee, name: FactorName::default() }).map_err(|error| error.code())
    }

    pub(crate) fn confirm_app(
        &self,
        store: Arc<dyn Store>,
        enrollee: Enrollee,
        app: &TotpEnrolled,
    ) -> Result<TotpConfirmed, ErrorCode> {
        let verb = ConfirmTotp {
            challenges: self.challenges(store.clone()),
            second_factor: self.second_factor(store.clone()),
            gate: self.verb_on(store).gate,
        };
        let input = TotpConfirmation { enrollee, id: app.id, code: self.code_of(&app.secret) };
        verb.run(&input, &Caller::default()).map_err(|error| error.code())
    }

    pub(crate) fn code_of(&self, secret: &TotpSecret) -> FactorCode {
        FactorCode::Totp(PlainTotp.code(secret, TimeStep::at(self.clock.now())))
    }

    /// Logs in with the password alone and returns the challenge.
    pub(crate) fn challenge(&self) -> String {
        self.challenge_on(self.store.clone())
    }

    pub(crate) fn challenge_on(&self, store: Arc<dyn Store>) -> String {
        let Err(LogInError::Refused(
            LogInReason::SecondFactorRequired(challenge) | LogInReason::EnrolmentRequired(challenge),
        )) = self.verb_on(store).run(&login(EMAIL, PASSWORD), &Caller::default())
        else {
            unreachable!("a login without a second factor")
        };
        challenge.token
    }
}

impl Ada {
    /// Registers her, verifies her email and begins the enrolment of an app.
    pub(crate) fn pending(world: World) -> Self {
        let pair = world.verified_ada();
        Self::begun(world, pair)
    }

    /// Begins the enrolment of an app in her session.
    pub(crate) fn begun(world: World, pair: TokenPair) -> Self {
        let session = world.authenticate(&pair.access_token).unwrap();
        let id = session.user.id;
        let app = world.enrol(world.store.clone(), Enrollee::Session(session)).unwrap();
        Self { world, id, pair, app, codes: Vec::new() }
    }

    pub(crate) fn enrolled(world: World) -> Self {
        Self::pending(world).enrol()
    }

    /// Confirms her app.
    pub(crate) fn enrol(self) -> Self {
        let codes = self.confirm(self.store()).unwrap().recovery_codes.unwrap();
        self.world.pass(TimeDelta::seconds(30));
        Self { codes, ..self }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.world.store.clone()
    }

    pub(crate) fn session(&self) -> Authenticated {
        self.world.authenticate(&self.pair.access_token).unwrap()
    }

    pub(crate) fn confirm(&self, store: Arc<dyn Store>) -> Result<TotpConfirmed, ErrorCode> {
        self.world.confirm_app(store, Enrollee::Session(self.session()), &self.app)
    }

    pub(crate) fn fresh_code(&self) -> FactorCode {
        self.world.code_of(&self.app.secret)
    }

    pub(crate) fn log_in(
        &self,
        store: Arc<dyn Store>,
        input: &PasswordLogin,
        device: Option<String>,
    ) -> Result<LoggedIn, ErrorCode> {
        self.world.verb_on(store).run(input, &with(device)).map_err(|error| error.code())
    }

    pub(crate) fn verify(
        &self,
        store: Arc<dyn Store>,
        mfa_token: &str,
        code: &FactorCode,
    ) -> Result<LoggedIn, ErrorCode> {
        let (mfa_token, factor) = (mfa_token.to_owned(), code.clone().into());
        let input = SecondFactorVerification { mfa_token, factor, remember_device: false };
        self.verifying(store).run(&input, &Caller::default()).map_err(|error| error.code())
    }

    pub(crate) fn verifying(&self, store: Arc<dyn Store>) -> VerifySecondFactor {
        VerifySecondFactor {
            challenges: self.world.challenges(store.clone()),
            second_factor: self.world.second_factor(store.clone()),
            gate: self.world.verb_on(store).gate,
        }
    }

    /// Shows a code. Returns the new recovery codes, if any.
    pub(crate) fn show(
        &self,
        store: Arc<dyn Store>,
        place: Place,
        code: &FactorCode,
    ) -> Result<Option<Vec<RecoveryCode>>, ErrorCode> {
        match place {
            Place::LogIn => {
                let input = PasswordLogin { code: Some(code.clone()), ..login(EMAIL, PASSWORD) };
                self.log_in(store, &input, None).map(|logged_in| logged_in.recovery_codes)
            }
            Place::Verify => {
                self.verify(store, &self.world.challenge(), code).map(|logged_in| logged_in.recovery_codes)
            }
            Place::Reauthenticate => {
                let verb = Reauthenticate {
                    reauthentication: self.world.owners_on(store.clone()),
                    second_factor: self.world.second_factor(store),
                    issuance: self.world.issuance.clone(),
                };
                let (session, password) = (self.session(), Password::new(PASSWORD));
                let proof = ReauthenticationProof::Password { password, code: Some(code.clone()) };
                let input = ReauthenticationInput { session, proof };
                let shown = verb.run(&input, &Caller::default()).map_err(|error| error.code());
                shown.map(|shown| shown.recovery_codes)
            }
        }
    }

    pub(crate) fn remove(&self, store: Arc<dyn Store>) -> Result<(), ErrorCode> {
        let (step_up, outbox, clock) = (self.world.step_up(), self.world.outbox.clone(), self.world.clock.clone());
        let verb = RemoveTotp { store, step_up, outbox, is_required: false, clock };
        verb.run(&self.session(), self.app.id, &Caller::default()).map_err(|error| error.code())
    }

    pub(crate) fn renew_codes(&self, store: Arc<dyn Store>) -> Result<(), ErrorCode> {
        let (step_up, entropy) = (self.world.step_up(), self.world.issuance.entropy.clone());
        let verb = RenewRecoveryCodes { store, step_up, entropy };
        verb.run(&self.session()).map(drop).map_err(|error| error.code())
    }

    pub(crate) fn stored(&self) -> Stored {
        let (store, now) = (&self.world.store, self.world.clock.now());
        let read = |tx: &mut dyn Tx| {
            let (factors, recovery_codes) = (tx.factors().totp(self.id)?, tx.factors().recovery_codes_left(self.id)?);
            Ok::<_, StoreError>((factors, recovery_codes, tx.factors().trusted_devices(self.id, now)?))
        };
        let (factors, recovery_codes, devices) = store.read(read).unwrap();
        let (credentials, sessions) = (self.world.owner(self.id).credentials, store.sessions_of(self.id));
        Stored { credentials, factors, recovery_codes, devices, sessions, mails: store.mails().len() }
    }

    /// Returns whether a code is still good.
    pub(crate) fn is_unused(&self, code: &FactorCode) -> bool {
        match code {
            FactorCode::Recovery(code) => {
                self.world.store.read(|tx| tx.factors().has_recovery_code(self.id, &code.digest())).unwrap()
            }
            _ => self.stored().factors.first().unwrap().last_step < Some(TimeStep::at(self.world.clock.now())),
        }
    }

    /// Sets the stored text of the hash, as other programs do.
    pub(crate) fn overwrite_hash(&self, text: &str) {
        let (read, new) = (self.world.owner(self.id).credentials, PasswordHash::new(text.to_owned()));
        let set = |tx: &mut dyn Tx| tx.credentials().replace(self.id, &read, &Credentials::from_hash(new.clone()));
        assert!(self.world.store.write(set).unwrap());
    }

    pub(crate) fn damage_secret(&self, id: FactorId) {
        let factor = self.stored().factors.into_iter().find(|factor| factor.id == id).unwrap();
        let damaged = SealedSecret::new(vec![0; 57]);
        assert!(self.world.store.write(|tx| tx.factors().reseal(&id, &factor.secret, &damaged)).unwrap());
    }
}
