//! The parts of the account that the model's use cases touch: password, one-time tokens and emails, in
//! memory. No other request of the model changes them, so their state is not modelled: a request finds
//! them as they were at first. Checks that they change only after the account is locked.

use crate::replay::{Run, TapeStore};
use crate::rows::{OWNER, moment};
use chrono::TimeDelta;
use portcullis_domain::login::{Credentials, Owner};
use portcullis_domain::registration::{EmailAddress, NewUser, Password, PasswordHash, PasswordPolicy};
use portcullis_domain::verification::{OneTimeToken, OneTimeTokenRecord, PasswordVersion, Purpose, TokenDigest};
use portcullis_ports::{Clock, MacSigner, StoreExt, Tx};
use portcullis_testkit::{MemoryStore, PlainHasher, SeededEntropy};
use portcullis_usecases::limits::{DeviceCookies, Guesses, Limits};
use portcullis_usecases::login::Reauthentication;
use portcullis_usecases::mail::{Notices, Outbox};
use portcullis_usecases::recovery::{ChangePassword, PasswordChange, PasswordReset, ResetPassword};
use portcullis_usecases::registration::PasswordScreening;
use portcullis_usecases::tokens::Authenticated;
use portcullis_usecases::verification::OneTimeTokens;
use portcullis_usecases::{Caller, Counted};
use std::sync::{Arc, LazyLock};

/// Code of every message, and with it the digest of the only one-time token.
const CODE: [u8; 32] = [7; 32];

/// The account, and a store with it and a token that resets its password.
static FIRST: LazyLock<(Owner, MemoryStore)> = LazyLock::new(|| {
    let (store, email) = (MemoryStore::new(), EmailAddress::from_stored("ada@example.org".to_owned()));
    let credentials = Credentials::from_hash(PasswordHash::new("new:old password".to_owned()));
    let new = NewUser { email: email.clone(), credentials: credentials.clone(), created_at: moment(0) };
    let user = store.adopt(new);
    let token = OneTimeTokenRecord {
        digest: TokenDigest::new(CODE),
        purpose: Purpose::ResetPassword,
        user_id: user.id,
        email,
        password: PasswordVersion::new(CODE),
        expires_at: moment(0) + TimeDelta::minutes(30),
    };
    store.write(|tx| tx.one_time_tokens().upsert(&token)).unwrap();
    (Owner { user, credentials }, store)
});

pub(crate) fn account() -> Owner {
    FIRST.0.clone()
}

pub(crate) fn memory() -> MemoryStore {
    FIRST.1.fork()
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

impl Run {
    /// The model has no rate limits.
    fn guesses(&self, store: &Arc<TapeStore>) -> Arc<Guesses> {
        let (limits, store) = (Arc::new(Limits::off()), store.clone());
        Arc::new(Guesses { limits, devices: devices(self.clock()), store })
    }

    /// Returns whether the owner could change the password.
    pub(crate) fn change_password(&self, store: &Arc<TapeStore>, owner: Authenticated) -> bool {
        let (hasher, guesses) = (Arc::new(PlainHasher::default()), self.guesses(store));
        let devices = devices(self.clock());
        let owners = Arc::new(Reauthentication { store: store.clone(), hasher, guesses, devices });
        let verb =
            ChangePassword { reauthentication: owners, screening: screening(), outbox: outbox(), clock: self.clock() };
        let new = PasswordPolicy::default().validate(Password::new("new password")).unwrap();
        verb.run(&PasswordChange { owner, current: Password::new("old password"), new }, &Caller::default()).is_ok()
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
        verb.run(&PasswordReset { token: OneTimeToken::new(CODE), new }, &Caller::default()).is_ok()
    }
}
