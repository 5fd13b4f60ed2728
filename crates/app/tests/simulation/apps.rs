//! The use cases of second factors, and the apps that the clients' codes are from.

use crate::world::SimWorld;
use portcullis_domain::login::StepUpPolicy;
use portcullis_domain::mfa::{TimeStep, TotpFactor, TotpSecret};
use portcullis_domain::registration::{EmailAddress, UserId};
use portcullis_domain::tokens::ChallengePurpose;
use portcullis_jwt::JwtVerifier;
use portcullis_ports::{Clock, StoreExt, TotpGenerator};
use portcullis_testkit::{MemoryStore, PlainSealer, PlainTotp};
use portcullis_usecases::login::LogIn;
use portcullis_usecases::mfa::{
    Challenges, ConfirmTotp, EnrolTotp, FactorCode, RemoveTotp, StepUp, VerifySecondFactor,
};
use std::sync::Arc;

/// Use cases of second factors.
pub(crate) struct Factors {
    pub(crate) verify: VerifySecondFactor,
    pub(crate) enrol: EnrolTotp,
    pub(crate) confirm: ConfirmTotp,
    pub(crate) remove: RemoveTotp,
    /// Where the apps have their secrets from.
    memory: Arc<MemoryStore>,
}

impl Factors {
    pub(crate) fn of(stage: &SimWorld, log_in: &LogIn, verifier: &Arc<JwtVerifier>) -> Self {
        let LogIn { store, outbox, second_factor, gate, .. } = log_in;
        let clock: Arc<dyn Clock> = stage.clock.clone();
        let passkeys = gate.passkeys.clone();
        let step_up = Arc::new(StepUp { policy: StepUpPolicy::default(), passkeys, clock: clock.clone() });
        let challenges = Arc::new(Challenges {
            store: store.clone(),
            verifier: verifier.clone(),
            tokens: outbox.tokens.clone(),
            clock: clock.clone(),
        });
        Self {
            verify: VerifySecondFactor {
                challenges: challenges.clone(),
                second_factor: second_factor.clone(),
                gate: gate.clone(),
            },
            enrol: EnrolTotp {
                challenges: challenges.clone(),
                step_up: step_up.clone(),
                sealer: Arc::new(PlainSealer),
                entropy: second_factor.entropy.clone(),
                product: "Portcullis".to_owned(),
                clock: clock.clone(),
            },
            confirm: ConfirmTotp { challenges, second_factor: second_factor.clone(), gate: gate.clone() },
            remove: RemoveTotp { store: store.clone(), step_up, outbox: outbox.clone(), is_required: false, clock },
            memory: stage.memory.clone(),
        }
    }

    /// Returns the oldest confirmed app of an account.
    pub(crate) fn app(&self, id: UserId) -> Option<TotpFactor> {
        let apps = self.memory.read(|tx| tx.factors().totp(id)).unwrap();
        apps.into_iter().find(TotpFactor::is_confirmed)
    }

    pub(crate) fn code(&self, secret: &TotpSecret) -> FactorCode {
        FactorCode::Totp(PlainTotp.code(secret, TimeStep::at(self.enrol.clock.now())))
    }

    fn code_of(&self, id: UserId) -> Option<FactorCode> {
        let app = self.app(id)?;
        let secret = app.secret.as_bytes().last_chunk::<20>().unwrap();
        Some(self.code(&TotpSecret::from_random(*secret)))
    }

    pub(crate) fn code_of_account(&self, email: &EmailAddress) -> Option<FactorCode> {
        self.memory.owners(email).unwrap().first().and_then(|owner| self.code_of(owner.user.id))
    }

    pub(crate) fn code_for(&self, mfa_token: &str) -> Option<FactorCode> {
        let challenge = self.enrol.challenges.read(mfa_token, ChallengePurpose::SecondFactor).ok()?;
        self.code_of(challenge.user_id)
    }
}
