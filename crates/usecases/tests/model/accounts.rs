//! The parts of the account that the model's use cases touch: password, one-time tokens, second
//! factors and emails, in memory. No other request of the model changes them, so their state is not modelled: a request finds
//! them as they were at first. Checks that they change only after the account is locked.

use crate::replay::{Run, TapeStore};
use crate::rows::{OWNER, moment};
use crate::tokens::ClearTokens;
use chrono::TimeDelta;
use portcullis_domain::login::{Credentials, EntryPolicy, Owner, StepUpPolicy};
use portcullis_domain::mfa::{FactorId, FactorName, SealedSecret, TimeStep, TotpFactor, TotpSecret, sealing_context};
use portcullis_domain::registration::{EmailAddress, NewUser, Password, PasswordHash, PasswordPolicy};
use portcullis_domain::sessions::SessionPolicy;
use portcullis_domain::tokens::TokenLifetimes;
use portcullis_domain::verification::{OneTimeToken, OneTimeTokenRecord, PasswordVersion, Purpose, TokenDigest};
use portcullis_ports::{Clock, MacSigner, Sealer, StoreError, StoreExt, TotpGenerator, Tx};
use portcullis_testkit::{MemoryStore, PlainHasher, PlainPasskeys, PlainSealer, PlainTotp, SeededEntropy};
use portcullis_usecases::limits::{DeviceCookies, Guesses, Limits};
use portcullis_usecases::login::{Gate, OwnerProof, Reauthentication};
use portcullis_usecases::mail::{Notices, Outbox};
use portcullis_usecases::mfa::{
    Challenges, ConfirmTotp, Enrollee, FactorCode, RemoveTotp, SecondFactor, StepUp, TotpConfirmation,
};
use portcullis_usecases::passkeys::{PasskeyCeremonies, PasskeyChallenges};
use portcullis_usecases::recovery::{ChangePassword, PasswordChange, PasswordReset, ResetPassword};
use portcullis_usecases::registration::PasswordScreening;
use portcullis_usecases::sessions::BeginSession;
use portcullis_usecases::tokens::{Authenticated, TokenFactory};
use portcullis_usecases::verification::OneTimeTokens;
use portcullis_usecases::{Caller, Counted};
use std::sync::{Arc, LazyLock};

/// Code of every message, and with it the digest of the only one-time token.
const CODE: [u8; 32] = [7; 32];

/// Secret of the account's authenticator app.
const SECRET: [u8; 20] = [7; 20];

/// The account, and a store with it, a token that resets its password and a pending authenticator app.
static FIRST: LazyLock<(Owner, MemoryStore)> = LazyLock::new(|| {
    let (store, email) = (MemoryStore::new(), EmailAddress::from_stored("ada@example.org".to_owned()));
    let credentials = Credentials::from_hash(PasswordHash::new("new:old password".to_owned()));
    let new =
        NewUser { email: email.clone(), credentials: credentials.clone(), created_at: moment(0), verified_at: None };
    let user = store.adopt(new);
    let token = OneTimeTokenRecord {
        digest: TokenDigest::new(CODE),
        purpose: Purpose::ResetPassword,
        user_id: user.id,
        email,
        password: PasswordVersion::new(CODE),
        expires_at: moment(0) + TimeDelta::minutes(30),
    };
    let sealed = SealedSecret::new(PlainSealer.seal(&sealing_context(&factor_id()), &SECRET).unwrap());
    let factor = TotpFactor::new(factor_id(), user.id, FactorName::default(), sealed, moment(0));
    store.write(|tx| tx.one_time_tokens().upsert(&token)).unwrap();
    store.write(|tx| tx.factors().replace_pending(&factor)).unwrap();
    (Owner { user, credentials }, store)
});

/// The store, with the app confirmed.
static ENROLLED: LazyLock<MemoryStore> = LazyLock::new(|| {
    let (store, read) = (memory(), account().credentials);
    let enrol = |tx: &mut dyn Tx| {
        let confirmed = tx.factors().confirm_totp(OWNER, &factor_id(), TimeStep::at(moment(0)), moment(0))?;
        Ok::<_, StoreError>(confirmed && tx.credentials().replace(OWNER, &read, &read.clone().marked())?)
    };
    assert!(store.write(enrol).unwrap());
    store
});

fn factor_id() -> FactorId {
    FactorId::from_random([7; 16])
}

pub(crate) fn account() -> Owner {
    FIRST.0.clone()
}

pub(crate) fn memory() -> MemoryStore {
    FIRST.1.fork()
}

pub(crate) fn enrolled_memory() -> MemoryStore {
    ENROLLED.fork()
}

/// Returns the credentials, and whether the token is there. Both change only under the account's lock.
pub(crate) fn secrets(tx: &mut dyn Tx) -> (Credentials, bool) {
    let owner = tx.credentials().owner(OWNER).unwrap().unwrap();
    (owner.credentials, tx.one_time_tokens().find(TokenDigest::new(CODE)).unwrap().is_some())
}

/// Signs every message with the same MAC.
struct OneCode;

impl MacSigner for OneCode {
    fn sign(&self, _: &[u8]) -> [u8; 32] {
        CODE
    }

    fn verify(&self, _: &[u8], code: &[u8; 32]) -> bool {
        *code == CODE
    }
}

fn one_time_tokens() -> Arc<OneTimeTokens> {
    Arc::new(OneTimeTokens { authenticator: Arc::new(OneCode), entropy: Arc::new(SeededEntropy::new(0)) })
}

pub(crate) fn outbox() -> Arc<Outbox> {
    Arc::new(Outbox { tokens: one_time_tokens(), notices: Notices::default(), observer: Arc::new(()) })
}

fn screening() -> Arc<PasswordScreening> {
    Arc::new(PasswordScreening { blocklist: None, product: "Portcullis".to_owned() })
}

fn devices(clock: Arc<dyn Clock>) -> Arc<DeviceCookies> {
    Arc::new(DeviceCookies { authenticator: Arc::new(OneCode), entropy: Arc::new(SeededEntropy::new(0)), clock })
}

/// The model has no passkeys.
pub(crate) fn passkeys_off(clock: Arc<dyn Clock>) -> Arc<PasskeyCeremonies> {
    let (signer, entropy) = (Arc::new(OneCode), Arc::new(SeededEntropy::new(0)));
    let challenges = PasskeyChallenges { signer, entropy, clock };
    Arc::new(PasskeyCeremonies { party: None, verifier: Arc::new(PlainPasskeys), challenges })
}

impl Run {
    /// The model has no rate limits.
    fn guesses(&self, store: &Arc<TapeStore>) -> Arc<Guesses> {
        let (limits, store) = (Arc::new(Limits::off()), store.clone());
        Arc::new(Guesses { limits, devices: devices(self.clock()), store })
    }

    fn step_up(&self) -> Arc<StepUp> {
        let passkeys = passkeys_off(self.clock());
        Arc::new(StepUp { policy: StepUpPolicy::default(), passkeys, clock: self.clock() })
    }

    /// Returns whether the owner could change the password.
    pub(crate) fn change_password(&self, store: &Arc<TapeStore>, owner: Authenticated) -> bool {
        let (hasher, guesses) = (Arc::new(PlainHasher::default()), self.guesses(store));
        let devices = devices(self.clock());
        let step_up = self.step_up();
        let owners = Arc::new(Reauthentication { store: store.clone(), hasher, guesses, devices, step_up });
        let verb =
            ChangePassword { reauthentication: owners, screening: screening(), outbox: outbox(), clock: self.clock() };
        let new = PasswordPolicy::default().validate(Password::new("new password")).unwrap();
        let current = OwnerProof::Password(Password::new("old password"));
        verb.run(&PasswordChange { owner, current, new }, &Caller::default()).is_ok()
    }

    /// Returns whether the owner could reset the password with a link from an email.
    pub(crate) fn reset_password(&self, store: &Arc<TapeStore>) -> bool {
        let verb = ResetPassword {
            store: store.clone(),
            hasher: Arc::new(PlainHasher::default()),
            screening: screening(),
            guesses: self.guesses(store),
            tokens: one_time_tokens(),
            outbox: outbox(),
            clock: self.clock(),
        };
        let new = PasswordPolicy::default().validate(Password::new("new password")).unwrap();
        let input = PasswordReset { token: OneTimeToken::new(CODE), new, remove_others: false };
        verb.run(&input, &Caller::default()).is_ok()
    }

    /// Returns whether the owner could confirm the account's first authenticator app.
    pub(crate) fn confirm_factor(&self, store: &Arc<TapeStore>, owner: Authenticated) -> bool {
        let (clock, entropy) = (self.clock(), Arc::new(SeededEntropy::new(0)));
        let second_factor = Arc::new(SecondFactor {
            store: store.clone(),
            sealer: Arc::new(PlainSealer),
            totp: Arc::new(PlainTotp),
            passkeys: passkeys_off(clock.clone()),
            observer: Arc::new(()),
            limits: Arc::new(Limits::off()),
            devices: devices(clock.clone()),
            outbox: outbox(),
            entropy: entropy.clone(),
            trust_for: None,
            clock: clock.clone(),
        });
        let (issuer, lifetimes) = (Arc::new(ClearTokens), TokenLifetimes::default());
        // The enrolment of a session begins none.
        let beginning = BeginSession {
            store: store.clone(),
            issuance: Arc::new(TokenFactory { issuer: issuer.clone(), entropy, lifetimes }),
            sessions: SessionPolicy::default(),
            devices: devices(clock.clone()),
            outbox: outbox(),
            always_claims: false,
            clock: clock.clone(),
        };
        let passkeys = passkeys_off(clock.clone());
        let (gate, tokens) = (Gate { policy: EntryPolicy::default(), beginning, passkeys }, one_time_tokens());
        let challenges = Arc::new(Challenges { store: store.clone(), verifier: issuer, tokens, clock: clock.clone() });
        let code = PlainTotp.code(&TotpSecret::from_random(SECRET), TimeStep::at(clock.now()));
        let (enrollee, code) = (Enrollee::Session(owner), FactorCode::Totp(code));
        let input = TotpConfirmation { enrollee, id: factor_id(), code };
        ConfirmTotp { challenges, second_factor, gate: Arc::new(gate) }.run(&input, &Caller::default()).is_ok()
    }

    /// Returns whether the owner could remove the account's last authenticator app.
    pub(crate) fn remove_factor(&self, store: &Arc<TapeStore>, owner: &Authenticated) -> bool {
        let step_up = self.step_up();
        let (store, outbox, clock) = (store.clone(), outbox(), self.clock());
        let verb = RemoveTotp { store, step_up, outbox, is_required: false, clock };
        verb.run(owner, factor_id(), &Caller::default()).is_ok()
    }
}
