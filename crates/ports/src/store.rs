//! Storage. [`Store::transact`] runs work in a transaction that gives access to the repositories, so
//! that a commit cannot be forgotten. [`Store::rotate`] is separate, so that a store can optimize the
//! most frequent operation.

use crate::factors::FactorRepository;
use crate::mail::OutboxRepository;
use crate::passkeys::PasskeyRepository;
use crate::providers::{IdentityRepository, SignInRepository};
use crate::registration::{CredentialRepository, UserRepository};
use crate::sessions::SessionRepository;
use crate::verification::OneTimeTokenRepository;
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{ClientInfo, EventKind, Session, SessionEvent};
use portcullis_domain::tokens::{IdempotencyKeyDigest, Jti, RefreshToken, SpendRecord};
use std::sync::Arc;
use std::time::Duration;

/// Access mode of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxMode {
    /// Read only. May run in parallel with others. Each read sees everything committed before it, but
    /// several reads need not share one snapshot.
    Read,
    /// Read and write. Writes are durable once [`Store::transact`] returns `Ok`.
    Write,
}

/// End of a transaction, as requested by the work in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxOutcome {
    /// Keep the writes.
    Commit,
    /// Discard the writes.
    Rollback,
}

/// Work in a transaction, run at most once. It must not hash passwords, wait, or call remote services.
pub type TxWork<'a> = dyn FnMut(&mut dyn Tx) -> Result<TxOutcome, StoreError> + 'a;

/// Stores accounts, sessions, tokens and emails.
///
/// ```
/// use portcullis_domain::registration::{User, UserId};
/// use portcullis_ports::{Store, StoreError, StoreExt};
/// fn account(store: &dyn Store, id: UserId) -> Result<Option<User>, StoreError> {
///     store.read(|tx| tx.users().find(id))
/// }
/// ```
pub trait Store: Send + Sync {
    /// Runs `work` in one transaction. `Ok` means that the store confirmed the commit or rollback.
    ///
    /// # Errors
    /// Returns the [`StoreError`] of the work or of the store. Nothing was written then, or it is
    /// unknown whether the commit succeeded.
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError>;

    /// Exchanges refresh tokens, independently of each other. Returns for each, in the order given,
    /// whether it was exchanged. All exchanges are durable when this returns. Of several rotations of
    /// one token, in one call or in concurrent ones, exactly one succeeds.
    ///
    /// A token is exchanged if it is live and not expired, belongs to the account and session of its
    /// successor, the account is active (and its email address verified, if the rotation requires it),
    /// and the session has neither ended nor expired. The same transaction adds the successor and
    /// records the rotation in the session's timeline. Use [`transact`] to find out why a token was not
    /// exchanged. A store without a faster way calls [`rotate_in_transaction`].
    ///
    /// # Errors
    /// Returns [`StoreError`] if no token was exchanged, or if it is unknown whether the commit
    /// succeeded.
    ///
    /// [`transact`]: Self::transact
    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError>;

    /// Checks that the store responds and takes writes. With [`TxMode::Read`], asks in one round trip and
    /// writes nothing. With [`TxMode::Write`], commits a write that changes nothing, which also finds a store
    /// that takes writes but does not confirm them.
    ///
    /// By default, a transaction that looks up an account. A decorator must forward the call.
    ///
    /// # Errors
    /// Returns [`StoreError::Unwritable`] if the store responds but takes no writes.
    fn check(&self, mode: TxMode) -> Result<(), StoreError> {
        // No account has id 0, so this costs one index lookup.
        self.transact(mode, &mut |tx| tx.users().find(UserId::new(0)).map(|_| TxOutcome::Commit))
    }
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        (**self).transact(mode, work)
    }

    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        (**self).rotate(rotations)
    }

    fn check(&self, mode: TxMode) -> Result<(), StoreError> {
        (**self).check(mode)
    }
}

/// Exchanges refresh tokens in one write transaction of `store`, as [`Store::rotate`] requires.
///
/// # Errors
/// Returns [`StoreError`] if no token was exchanged, or if it is unknown whether the commit succeeded.
pub fn rotate_in_transaction(store: &(impl Store + ?Sized), rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
    let mut rotated = Vec::new();
    if !rotations.is_empty() {
        store.transact(TxMode::Write, &mut |tx| {
            rotated = rotations.iter().map(|rotation| rotation.execute(tx)).collect::<Result<_, _>>()?;
            Ok(TxOutcome::Commit)
        })?;
    }
    Ok(rotated)
}

/// Exchange of a refresh token for its successor.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use portcullis_domain::sessions::{ClientInfo, SessionId, SessionPolicy};
/// use portcullis_domain::{registration::UserId, tokens::{Jti, RefreshToken}};
/// use portcullis_ports::Rotation;
/// let (at, next) = (DateTime::UNIX_EPOCH, Jti::from_random([2; 16]));
/// let successor = RefreshToken::new(next, UserId::new(1), at, TimeDelta::days(7));
/// let successor = successor.with_session(SessionId::from_random([3; 16]));
/// let (session_cutoff, client) = (SessionPolicy::default().max_age_cutoff(at), ClientInfo::default());
/// let spent = Jti::from_random([1; 16]);
/// let rotation = Rotation { spent, at, key: None, session_cutoff, verified_only: false, client, successor };
/// assert_eq!(rotation.spend_record().successor, next);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Presented token.
    pub spent: Jti,
    /// Time of the exchange, in UTC.
    pub at: DateTime<Utc>,
    /// Digest of the `Idempotency-Key`, if the client sent one.
    pub key: Option<IdempotencyKeyDigest>,
    /// Cutoff for session age, in UTC. Sessions that started at or before it have expired.
    pub session_cutoff: DateTime<Utc>,
    /// True if the account's email address must be verified.
    pub verified_only: bool,
    /// Client that presented the token.
    pub client: ClientInfo,
    /// Live successor. The presented token must belong to its account and session. Without a session,
    /// the exchange always fails.
    pub successor: RefreshToken,
}

impl Rotation {
    /// Returns the record to store with the spent token.
    #[must_use]
    pub fn spend_record(&self) -> SpendRecord {
        SpendRecord { at: self.at, key: self.key, successor: self.successor.jti }
    }

    /// Returns the event for the session's timeline.
    #[must_use]
    pub fn event(&self) -> SessionEvent {
        SessionEvent { at: self.at, kind: EventKind::Rotated, client: self.client.clone() }
    }

    fn execute(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let found = tx.refresh_tokens().find(self.spent)?;
        let spent = found.is_some_and(|found| self.is_due(&found))
            && tx.refresh_tokens().spend(self.spent, &self.spend_record())?;
        if let (true, Some(session)) = (spent, self.successor.session_id) {
            tx.refresh_tokens().insert(&self.successor)?;
            tx.sessions().record(session, &self.event())?;
        }
        Ok(spent)
    }

    fn is_due(&self, found: &FoundToken) -> bool {
        let own = |session: &Session| session.user_id == self.successor.user_id;
        let open =
            |session: &Session| own(session) && session.ended_at.is_none() && session.started_at > self.session_cutoff;
        found.account_active
            && (found.account_verified || !self.verified_only)
            && found.token.user_id == self.successor.user_id
            && found
                .session
                .as_ref()
                .is_some_and(|session| open(session) && Some(session.id) == self.successor.session_id)
    }
}

/// Convenience methods on every [`Store`]: run work in a transaction and return its typed result.
pub trait StoreExt {
    /// Runs `work` in a read-only transaction and returns its result.
    ///
    /// # Errors
    /// Returns the error of the work or of the store.
    fn read<T, E: From<StoreError>>(&self, work: impl FnMut(&mut dyn Tx) -> Result<T, E>) -> Result<T, E>;

    /// Runs `work` in a write transaction and returns its result. Commits on `Ok` and rolls back on
    /// `Err`.
    ///
    /// # Errors
    /// Returns the error of the work or of the store.
    fn write<T, E: From<StoreError>>(&self, work: impl FnMut(&mut dyn Tx) -> Result<T, E>) -> Result<T, E>;
}

impl<S: Store + ?Sized> StoreExt for S {
    fn read<T, E: From<StoreError>>(&self, work: impl FnMut(&mut dyn Tx) -> Result<T, E>) -> Result<T, E> {
        transact(self, TxMode::Read, work)
    }

    fn write<T, E: From<StoreError>>(&self, work: impl FnMut(&mut dyn Tx) -> Result<T, E>) -> Result<T, E> {
        transact(self, TxMode::Write, work)
    }
}

fn transact<T, E: From<StoreError>>(
    store: &(impl Store + ?Sized),
    mode: TxMode,
    mut work: impl FnMut(&mut dyn Tx) -> Result<T, E>,
) -> Result<T, E> {
    let mut outcome = None;
    store.transact(mode, &mut |tx| {
        let result = work(tx);
        let conclusion = if result.is_ok() { TxOutcome::Commit } else { TxOutcome::Rollback };
        outcome = Some(result);
        Ok(conclusion)
    })?;
    outcome.unwrap_or_else(|| Err(StoreError::Failed("the store ran no work".to_owned()).into()))
}

/// Open transaction, which gives access to the repositories.
pub trait Tx {
    /// Returns the accounts.
    fn users(&mut self) -> &mut dyn UserRepository;
    /// Returns the credentials of accounts.
    fn credentials(&mut self) -> &mut dyn CredentialRepository;
    /// Returns the second factors of accounts.
    fn factors(&mut self) -> &mut dyn FactorRepository;
    /// Returns the passkeys of accounts.
    fn passkeys(&mut self) -> &mut dyn PasskeyRepository;
    /// Returns the identities linked to accounts.
    fn identities(&mut self) -> &mut dyn IdentityRepository;
    /// Returns the sign-ins under way.
    fn sign_ins(&mut self) -> &mut dyn SignInRepository;
    /// Returns the sessions.
    fn sessions(&mut self) -> &mut dyn SessionRepository;
    /// Returns the refresh tokens.
    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokenRepository;
    /// Returns the one-time tokens.
    fn one_time_tokens(&mut self) -> &mut dyn OneTimeTokenRepository;
    /// Returns the outbox.
    fn outbox(&mut self) -> &mut dyn OutboxRepository;
    /// Returns whether a statement has changed a row. A store that does not know returns true.
    fn has_written(&self) -> bool {
        true
    }
}

/// Refresh token with the data needed to judge it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundToken {
    /// Token.
    pub token: RefreshToken,
    /// True if the account is active.
    pub account_active: bool,
    /// True if the account's email address is verified.
    pub account_verified: bool,
    /// Successor, if it is still live.
    pub live_successor: Option<RefreshToken>,
    /// Time since the token was spent, by the store's clock, if it has one. Replicas' own clocks may
    /// differ.
    pub spent_age: Option<TimeDelta>,
    /// Session; `None` for an adopted token until its first exchange. A token whose session was deleted
    /// is revoked.
    pub session: Option<Session>,
}

/// Stores refresh tokens. Every method returns [`StoreError`] if the store fails.
pub trait RefreshTokenRepository {
    /// Adds a live token. Its session, if it has one, must exist.
    fn insert(&mut self, token: &RefreshToken) -> Result<(), StoreError>;

    /// Returns the token, or `None` if it does not exist.
    fn find(&mut self, jti: Jti) -> Result<Option<FoundToken>, StoreError>;

    /// Spends a token that is live and not expired at the time of the spend record. Returns whether it
    /// did: exactly one concurrent caller succeeds.
    fn spend(&mut self, jti: Jti, spend_record: &SpendRecord) -> Result<bool, StoreError>;

    /// Revokes a token if it is live. Returns whether it did. Waits for an exchange of the token in
    /// progress.
    fn revoke(&mut self, jti: Jti, now: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Scans up to `limit` rows after a cursor, in the store's own order, and counts tokens that
    /// expired at or before `cutoff`. Returns `None` if there are no more rows.
    fn scan(&mut self, after: RowCursor, limit: u32, cutoff: DateTime<Utc>) -> Result<Option<RowRange>, StoreError>;

    /// Deletes up to `limit` of the expired tokens in a range, in any state. Returns the number of
    /// deleted tokens.
    fn purge(&mut self, range: &RowRange, limit: u32) -> Result<u64, StoreError>;
}

/// Position in the store's row order, for keyset pagination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowCursor(pub i64);

impl RowCursor {
    /// Position before the first row.
    pub const FIRST: Self = Self(i64::MIN);
}

/// Range of consecutive rows that a scan covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRange {
    /// Position before the range.
    pub after: RowCursor,
    /// Position of the last row in the range.
    pub last: RowCursor,
    /// Number of rows in the range that are past the cutoff.
    pub dead: u64,
    /// Cutoff of the scan, in UTC.
    pub cutoff: DateTime<Utc>,
}

/// Reason why a store operation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store is unreachable, lost the connection, or did not respond in time.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store accepts reads but no writes: the disk is full or read-only, or the server is a standby. Not an
    /// outage, because reads must continue.
    #[error("the store takes no writes: {0}")]
    Unwritable(String),
    /// No connection became free within the wait limit, the only writer stayed busy, or concurrent
    /// changes kept interfering.
    #[error("the store is busy: {0}")]
    Busy(String),
    /// The circuit breaker refused the call.
    #[error("the circuit of the store is open")]
    CircuitOpen {
        /// Time until it lets a call through.
        retry_after: Duration,
    },
    /// A stored row is unreadable, because it breaks an invariant.
    #[error("{table}.{column} of row {id} is unreadable: {reason}")]
    Corrupt {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Id of the row.
        id: i64,
        /// Broken invariant, without the value.
        reason: String,
    },
    /// Any other error, such as a failed statement.
    #[error("the store failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// Returns whether the store itself is at fault. Circuit breakers count only these errors.
    ///
    /// ```
    /// use portcullis_ports::StoreError;
    /// assert!(StoreError::Unavailable("connection refused".into()).is_outage());
    /// assert!(!StoreError::Failed("no such column".into()).is_outage());
    /// ```
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
