//! Store in memory: a real adapter with transactions that roll back. Its data is lost with the process.
//! Tests can inject outages.

mod deletion;
mod factors;
mod identities;
mod limiter;
mod mail;
mod passkeys;
mod registration;
mod sessions;
mod sign_ins;
mod tokens;
mod verification;

pub use limiter::MapLimiter;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use portcullis_domain::login::Owner;
use portcullis_domain::registration::{EmailAddress, NewUser, User, UserId};
use portcullis_domain::sessions::{Session, SessionId};
use portcullis_domain::tokens::{Jti, RefreshToken};
use portcullis_domain::verification::{OneTimeTokenRecord, TokenDigest};
use portcullis_ports::{
    CredentialRepository, FactorRepository, IdentityRepository, MailId, OneTimeTokenRepository, OutboxRepository,
    PasskeyRepository, QueuedMail, RefreshTokenRepository, Rotation, RowCursor, SessionRepository, SignInRepository,
    Store, StoreError, StoreExt, Tx, TxMode, TxOutcome, TxWork, UserRepository, rotate_in_transaction,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// [`Store`] in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    /// State after the last commit, which readers see.
    committed: Mutex<Arc<State>>,
    /// Held by the only writer.
    writer: Mutex<()>,
    outage: Mutex<Option<StoreError>>,
}

/// All stored data.
#[derive(Debug, Default, Clone)]
struct State {
    last_id: i64,
    users: BTreeMap<UserId, User>,
    credentials: BTreeMap<UserId, registration::CredentialRow>,
    /// Accounts being deleted.
    deleted: BTreeMap<UserId, DateTime<Utc>>,
    /// Accounts that another program's table refers to, with the table's name.
    referenced: BTreeMap<UserId, String>,
    tokens: BTreeMap<Jti, RefreshToken>,
    /// Tokens in insertion order.
    rows: BTreeMap<RowCursor, Jti>,
    last_session: i64,
    last_use: u64,
    sessions: BTreeMap<SessionId, sessions::Kept>,
    grants: BTreeMap<TokenDigest, OneTimeTokenRecord>,
    last_mail: i64,
    mails: BTreeMap<MailId, QueuedMail>,
    factors: factors::Factors,
    passkeys: passkeys::Passkeys,
    identities: identities::Identities,
    sign_ins: sign_ins::SignIns,
}

/// Transaction on a copy of the state, which replaces the committed one on commit.
struct Transaction {
    state: State,
    mode: TxMode,
    /// First refused operation, after which nothing is committed.
    failure: Option<StoreError>,
}

impl MemoryStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates an independent copy of the committed state.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { committed: Mutex::new(Arc::clone(&self.committed.lock())), ..Self::default() }
    }

    /// Fails every transaction from now on with an error. `None` ends the outage.
    pub fn set_outage(&self, outage: Option<StoreError>) {
        *self.outage.lock() = outage;
    }

    /// Enables or disables an account, like an operator.
    pub fn set_active(&self, id: UserId, is_active: bool) {
        self.change(|state| {
            if let Some(user) = state.users.get_mut(&id) {
                user.is_active = is_active;
            }
        });
    }

    /// Adds an account like adoption does: with its original spelling, even if another differs only by
    /// case.
    pub fn adopt(&self, user: NewUser) -> User {
        self.change(|state| state.add_user(&user, user.email.clone()))
    }

    /// Makes another program's table refer to the account.
    pub fn refer_to(&self, id: UserId, table: &str) {
        self.change(|state| drop(state.referenced.insert(id, table.to_owned())));
    }

    /// Returns every token of an account, in no particular order.
    #[must_use]
    pub fn tokens_of(&self, id: UserId) -> Vec<RefreshToken> {
        let state = Arc::clone(&self.committed.lock());
        state.tokens.values().filter(|token| token.user_id == id).cloned().collect()
    }

    /// Returns every session of an account, including ended ones, in no particular order.
    #[must_use]
    pub fn sessions_of(&self, id: UserId) -> Vec<Session> {
        let state = Arc::clone(&self.committed.lock());
        state.sessions_of(id).cloned().collect()
    }

    /// Returns every one-time token that was not redeemed, in no particular order.
    #[must_use]
    pub fn grants(&self) -> Vec<OneTimeTokenRecord> {
        self.committed.lock().grants.values().cloned().collect()
    }

    /// Returns every email in the outbox, ordered by id.
    #[must_use]
    pub fn mails(&self) -> Vec<QueuedMail> {
        self.committed.lock().mails.values().cloned().collect()
    }

    /// Returns all accounts with that canonical email address.
    ///
    /// # Errors
    /// Returns the injected outage.
    pub fn accounts(&self, email: &EmailAddress) -> Result<Vec<User>, StoreError> {
        self.read(|tx| tx.users().find_by_email(email))
    }

    /// Returns all accounts with that canonical email address, with their credentials.
    ///
    /// # Errors
    /// Returns the injected outage.
    pub fn owners(&self, email: &EmailAddress) -> Result<Vec<Owner>, StoreError> {
        self.read(|tx| tx.credentials().owners(email))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let _writer = self.writer.lock();
        change(Arc::make_mut(&mut self.committed.lock()))
    }
}

impl Store for MemoryStore {
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        if let Some(outage) = self.outage.lock().clone() {
            return Err(outage);
        }
        let _writer = (mode == TxMode::Write).then(|| self.writer.lock());
        let state = State::clone(&self.committed.lock());
        let mut transaction = Transaction { state, mode, failure: None };
        match (work(&mut transaction)?, transaction.failure) {
            (TxOutcome::Rollback, _) => Ok(()),
            (TxOutcome::Commit, Some(failure)) => Err(failure),
            (TxOutcome::Commit, None) => {
                if mode == TxMode::Write {
                    *self.committed.lock() = Arc::new(transaction.state);
                }
                Ok(())
            }
        }
    }

    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        rotate_in_transaction(self, rotations)
    }
}

impl Tx for Transaction {
    fn users(&mut self) -> &mut dyn UserRepository {
        self
    }

    fn credentials(&mut self) -> &mut dyn CredentialRepository {
        self
    }

    fn factors(&mut self) -> &mut dyn FactorRepository {
        self
    }

    fn passkeys(&mut self) -> &mut dyn PasskeyRepository {
        self
    }

    fn identities(&mut self) -> &mut dyn IdentityRepository {
        self
    }

    fn sign_ins(&mut self) -> &mut dyn SignInRepository {
        self
    }

    fn sessions(&mut self) -> &mut dyn SessionRepository {
        self
    }

    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokenRepository {
        self
    }

    fn one_time_tokens(&mut self) -> &mut dyn OneTimeTokenRepository {
        self
    }

    fn outbox(&mut self) -> &mut dyn OutboxRepository {
        self
    }
}

impl Transaction {
    fn writable(&mut self) -> Result<&mut State, StoreError> {
        match self.mode {
            TxMode::Write => Ok(&mut self.state),
            TxMode::Read => Err(self.refuse("a reading transaction does not write")),
        }
    }

    /// Returns the state, to add rows of an account, which must exist.
    fn state_of(&mut self, user_id: UserId) -> Result<&mut State, StoreError> {
        if !self.writable()?.users.contains_key(&user_id) {
            return Err(self.refuse("there is no such account"));
        }
        Ok(&mut self.state)
    }

    fn refuse(&mut self, reason: &str) -> StoreError {
        let error = StoreError::Failed(reason.to_owned());
        self.failure.get_or_insert(error).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use portcullis_domain::login::Credentials;
    use portcullis_domain::registration::PasswordHash;

    crate::store_conformance!(|run: &dyn Fn(&dyn Store)| run(&MemoryStore::new()));

    fn erin(spelled: &str) -> NewUser {
        let email = EmailAddress::from_stored(spelled.to_owned());
        let credentials = Credentials::from_hash(PasswordHash::new("$2b$".to_owned()));
        NewUser { email, credentials, created_at: DateTime::UNIX_EPOCH, verified_at: None }
    }

    #[test]
    fn adopted_accounts_may_differ_by_case_alone() {
        let store = MemoryStore::new();
        for spelled in ["Erin@example.com", "erin@example.com"] {
            assert_eq!(store.adopt(erin(spelled)).email.original(), spelled);
        }
        let third = erin("ERIN@example.com");
        assert_eq!(store.accounts(&third.email).unwrap().len(), 2);
        assert_eq!(store.owners(&third.email).unwrap().len(), 2);
        assert_eq!(store.write(|tx| tx.users().insert(&third)), Ok(None));
    }

    #[test]
    fn an_account_that_is_switched_off_shows_at_its_tokens() {
        let store = MemoryStore::new();
        let user = store.adopt(erin("erin@example.com"));
        let jti = Jti::from_random([1; 16]);
        let token = RefreshToken::new(jti, user.id, DateTime::UNIX_EPOCH, TimeDelta::days(7));
        store.write(|tx| tx.refresh_tokens().insert(&token)).unwrap();
        store.set_active(user.id, false);
        let found = store.read(|tx| tx.refresh_tokens().find(jti)).unwrap().unwrap();
        assert!(!found.account_active);
        assert_eq!(store.tokens_of(user.id), [token]);
    }

    #[test]
    fn an_outage_lasts_until_it_is_lifted() {
        let store = MemoryStore::new();
        let outage = StoreError::Unavailable("staged".to_owned());
        store.set_outage(Some(outage.clone()));
        assert_eq!(store.read(|tx| tx.users().find(UserId::new(1))), Err(outage));
        store.set_outage(None);
        assert_eq!(store.read(|tx| tx.users().find(UserId::new(1))), Ok(None));
    }
}
