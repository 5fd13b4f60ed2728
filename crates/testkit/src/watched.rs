//! Wrappers that watch, count, delay, cut or fail the calls of a store or a hasher.

use parking_lot::Mutex;
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{
    CancellationToken, CredentialRepository, FactorRepository, HasherError, IdentityRepository, OneTimeTokenRepository,
    OutboxRepository, PasskeyRepository, PasswordCheck, PasswordHasher, RefreshTokenRepository, Rotation,
    SessionRepository, SignInRepository, Store, StoreError, Tx, TxMode, TxOutcome, TxWork, UserRepository,
    rotate_in_transaction,
};

type Watch = dyn Fn(&mut StoreCall<'_>) -> Result<(), StoreError> + Send + Sync;

/// Store whose transactions run as a hook decides. Rotations are transactions like any other.
///
/// ```
/// use portcullis_ports::{StoreError, StoreExt, TxMode};
/// use portcullis_testkit::{MemoryStore, Watched};
/// let read_only = Watched::new(MemoryStore::new(), |call| match call.mode {
///     TxMode::Read => call.run(),
///     TxMode::Write => Err(StoreError::Busy("locked".to_owned())),
/// });
/// assert_eq!(read_only.read(|tx| tx.outbox().list(None, 9)), Ok(Vec::new()));
/// ```
pub struct Watched<S> {
    inner: S,
    watch: Box<Watch>,
}

/// Transaction of a [`Watched`] store.
pub struct StoreCall<'a> {
    store: &'a dyn Store,
    work: &'a mut TxWork<'a>,
    /// Access mode.
    pub mode: TxMode,
    /// Accesses by the work so far.
    pub accesses: Accesses,
}

/// Number of times that a transaction accessed each repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the repositories")]
pub struct Accesses {
    pub users: usize,
    pub credentials: usize,
    pub factors: usize,
    pub passkeys: usize,
    pub identities: usize,
    pub sign_ins: usize,
    pub sessions: usize,
    pub refresh_tokens: usize,
    pub one_time_tokens: usize,
    pub outbox: usize,
}

impl<S: Store> Watched<S> {
    /// Creates a store that calls `watch` for each transaction.
    pub fn new(inner: S, watch: impl Fn(&mut StoreCall<'_>) -> Result<(), StoreError> + Send + Sync + 'static) -> Self {
        Self { inner, watch: Box::new(watch) }
    }

    /// Creates a store that runs a hook before its first write.
    pub fn meanwhile(inner: S, happens: impl FnOnce() + Send + 'static) -> Self {
        let happens = Mutex::new(Some(happens));
        Self::new(inner, move |call| {
            let happens = if call.mode == TxMode::Write { happens.lock().take() } else { None };
            if let Some(happens) = happens {
                happens();
            }
            call.run()
        })
    }
}

impl StoreCall<'_> {
    /// Runs the transaction.
    ///
    /// # Errors
    /// Returns the error of the work or of the inner store.
    pub fn run(&mut self) -> Result<(), StoreError> {
        self.run_and_end(&mut Ok)
    }

    /// Runs the transaction. If the work succeeds, `end` decides its outcome.
    ///
    /// # Errors
    /// Returns the error of the work, of `end` or of the inner store.
    pub fn run_and_end(
        &mut self,
        end: &mut dyn FnMut(TxOutcome) -> Result<TxOutcome, StoreError>,
    ) -> Result<(), StoreError> {
        let Self { store, work, mode, accesses } = self;
        store.transact(*mode, &mut |tx| work(&mut CountingTx { inner: tx, accesses }).and_then(&mut *end))
    }
}

impl<S: Store> Store for Watched<S> {
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        let mut work = |tx: &mut dyn Tx| work(tx);
        (self.watch)(&mut StoreCall { store: &self.inner, work: &mut work, mode, accesses: Accesses::default() })
    }

    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        rotate_in_transaction(self, rotations)
    }
}

struct CountingTx<'a> {
    inner: &'a mut dyn Tx,
    accesses: &'a mut Accesses,
}

impl Tx for CountingTx<'_> {
    fn users(&mut self) -> &mut dyn UserRepository {
        self.accesses.users += 1;
        self.inner.users()
    }

    fn credentials(&mut self) -> &mut dyn CredentialRepository {
        self.accesses.credentials += 1;
        self.inner.credentials()
    }

    fn factors(&mut self) -> &mut dyn FactorRepository {
        self.accesses.factors += 1;
        self.inner.factors()
    }

    fn passkeys(&mut self) -> &mut dyn PasskeyRepository {
        self.accesses.passkeys += 1;
        self.inner.passkeys()
    }

    fn identities(&mut self) -> &mut dyn IdentityRepository {
        self.accesses.identities += 1;
        self.inner.identities()
    }

    fn sign_ins(&mut self) -> &mut dyn SignInRepository {
        self.accesses.sign_ins += 1;
        self.inner.sign_ins()
    }

    fn sessions(&mut self) -> &mut dyn SessionRepository {
        self.accesses.sessions += 1;
        self.inner.sessions()
    }

    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokenRepository {
        self.accesses.refresh_tokens += 1;
        self.inner.refresh_tokens()
    }

    fn one_time_tokens(&mut self) -> &mut dyn OneTimeTokenRepository {
        self.accesses.one_time_tokens += 1;
        self.inner.one_time_tokens()
    }

    fn outbox(&mut self) -> &mut dyn OutboxRepository {
        self.accesses.outbox += 1;
        self.inner.outbox()
    }
}

/// Store that fails every call with this error and runs no work.
pub struct FailingStore(pub StoreError);

impl Store for FailingStore {
    fn transact(&self, _: TxMode, _: &mut TxWork<'_>) -> Result<(), StoreError> {
        Err(self.0.clone())
    }

    fn rotate(&self, _: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        Err(self.0.clone())
    }
}

type HasherWatch = dyn Fn(&mut dyn FnMut() -> Result<(), HasherError>) -> Result<(), HasherError> + Send + Sync;

/// Hasher whose calls run as a hook decides.
pub struct WatchedHasher<H> {
    inner: H,
    watch: Box<HasherWatch>,
}

impl<H: PasswordHasher> WatchedHasher<H> {
    /// Creates a hasher that calls `watch` with each call, which it may run once or fail.
    pub fn new(
        inner: H,
        watch: impl Fn(&mut dyn FnMut() -> Result<(), HasherError>) -> Result<(), HasherError> + Send + Sync + 'static,
    ) -> Self {
        Self { inner, watch: Box::new(watch) }
    }

    fn watched<T>(&self, call: impl Fn(&H) -> Result<T, HasherError>) -> Result<T, HasherError> {
        let mut result = None;
        let mut run = || {
            let outcome = call(&self.inner);
            let ended = outcome.as_ref().map(drop).map_err(Clone::clone);
            result = Some(outcome);
            ended
        };
        (self.watch)(&mut run)?;
        result.unwrap_or_else(|| Err(HasherError::Failed("the hook ran no call".to_owned())))
    }
}

impl<H: PasswordHasher> PasswordHasher for WatchedHasher<H> {
    fn hash(&self, password: &Password, cancellation: &CancellationToken) -> Result<PasswordHash, HasherError> {
        self.watched(|inner| inner.hash(password, cancellation))
    }

    fn rehash(
        &self,
        password: &Password,
        outdated: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordHash, HasherError> {
        self.watched(|inner| inner.rehash(password, outdated, cancellation))
    }

    fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError> {
        self.watched(|inner| inner.verify(password, hash, cancellation))
    }

    fn placeholder(&self) -> PasswordHash {
        self.inner.placeholder()
    }

    fn dummy_verify(
        &self,
        password: &Password,
        account: &str,
        cancellation: &CancellationToken,
    ) -> Result<(), HasherError> {
        self.watched(|inner| inner.dummy_verify(password, account, cancellation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStore, PlainHasher};

    crate::store_conformance!(|run: &dyn Fn(&dyn Store)| run(&Watched::new(MemoryStore::new(), |call| call.run())));
    crate::hasher_conformance!(|run: &dyn Fn(&dyn PasswordHasher)| {
        run(&WatchedHasher::new(PlainHasher::default(), |call| call()));
    });
}
