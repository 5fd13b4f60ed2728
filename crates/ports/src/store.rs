//! Everything that is kept. [`Store::transact`] is the way in: a transaction that hands out
//! repositories, so that a commit cannot be forgotten. Beside it stands what every session does
//! all day, which a store may do faster in a way of its own: [`Store::rotate`].

use crate::mail::OutboxRepository;
use crate::registration::UserRepository;
use crate::sessions::SessionRepository;
use crate::verification::OneTimeTokenRepository;
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::sessions::{ClientInfo, EventKind, Session, SessionEvent};
use portcullis_domain::tokens::{IdempotencyKeyDigest, Jti, RefreshToken, SpendRecord};
use std::sync::Arc;
use std::time::Duration;

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxMode {
    /// Read only. May run beside others. Every read sees what was committed before it; whether
    /// several reads see one moment is for the store to say.
    Read,
    /// Read and write. Its writes hold from the moment that [`Store::transact`] returns `Ok`.
    Write,
}

/// How the work in a transaction wants it to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxOutcome {
    /// Keep what was written.
    Commit,
    /// Undo it.
    Rollback,
}

/// The work in a transaction, run once at most; it must not hash, wait or call anything remote.
pub type TxWork<'a> = dyn FnMut(&mut dyn Tx) -> Result<TxOutcome, StoreError> + 'a;

/// Keeps accounts, sessions and tokens.
///
/// ```
/// use portcullis_domain::registration::{User, UserId};
/// use portcullis_ports::{Store, StoreError, StoreExt};
/// fn account(store: &dyn Store, id: UserId) -> Result<Option<User>, StoreError> {
///     store.read(|tx| tx.users().find(id))
/// }
/// ```
pub trait Store: Send + Sync {
    /// Runs the work in one transaction. `Ok` means that the store has confirmed the conclusion.
    ///
    /// # Errors
    /// [`StoreError`], the work's own or the store's. Nothing was kept then, or it is unknown
    /// whether a commit arrived.
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError>;

    /// Exchanges refresh tokens, each on its own: whether each was exchanged, in their order.
    /// Those that were are confirmed together when this returns. Of any number of rotations of
    /// one token, in one call or in many, exactly one succeeds.
    ///
    /// A token is spent if it is live and not expired at the time of the spending, belongs to the
    /// successor's account and session, that account is active, with a verified address if
    /// the rotation asks for one, and that session neither ended nor too old; then, in the same transaction, its successor is added, and the rotation put
    /// on the session's timeline. Why another was not is for [`transact`] to find out.
    ///
    /// # Errors
    /// [`StoreError`]. None was exchanged then, or it is unknown whether the commit arrived.
    ///
    /// [`transact`]: Self::transact
    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        let mut rotated = Vec::new();
        if !rotations.is_empty() {
            self.transact(TxMode::Write, &mut |tx| {
                rotated = rotations.iter().map(|rotation| rotation.execute(tx)).collect::<Result<_, _>>()?;
                Ok(TxOutcome::Commit)
            })?;
        }
        Ok(rotated)
    }
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        (**self).transact(mode, work)
    }

    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        (**self).rotate(rotations)
    }
}

/// The exchange of a refresh token for its successor.
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
    /// The token that was shown.
    pub spent: Jti,
    /// When it is spent, in UTC.
    pub at: DateTime<Utc>,
    /// With which `Idempotency-Key`, if any.
    pub key: Option<IdempotencyKeyDigest>,
    /// A session that started at this moment or before is too old, in UTC.
    pub session_cutoff: DateTime<Utc>,
    /// Whether the account's address must be verified.
    pub verified_only: bool,
    /// From where it was shown.
    pub client: ClientInfo,
    /// The live token it is exchanged for. Its account and its session are those that the spent
    /// token must have; without a session it succeeds no token.
    pub successor: RefreshToken,
}

impl Rotation {
    /// How the token is spent.
    #[must_use]
    pub fn spend_record(&self) -> SpendRecord {
        SpendRecord { at: self.at, key: self.key, successor: self.successor.jti }
    }

    /// The rotation, as its session's timeline has it.
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

/// The comfortable forms of [`Store::transact`].
pub trait StoreExt {
    /// Reads.
    ///
    /// # Errors
    /// The work's own error or the store's.
    fn read<T, E: From<StoreError>>(&self, work: impl FnMut(&mut dyn Tx) -> Result<T, E>) -> Result<T, E>;

    /// Reads and writes. An error of the work undoes what it wrote.
    ///
    /// # Errors
    /// The work's own error or the store's.
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

/// A transaction under way: one repository for each noun.
pub trait Tx {
    /// The accounts.
    fn users(&mut self) -> &mut dyn UserRepository;
    /// The sessions.
    fn sessions(&mut self) -> &mut dyn SessionRepository;
    /// The refresh tokens.
    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokenRepository;
    /// The one-time tokens.
    fn one_time_tokens(&mut self) -> &mut dyn OneTimeTokenRepository;
    /// The mails to be sent.
    fn outbox(&mut self) -> &mut dyn OutboxRepository;
}

/// A refresh token with what its use depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundToken {
    /// The token.
    pub token: RefreshToken,
    /// Whether its account is active.
    pub account_active: bool,
    /// Whether its account's address is verified.
    pub account_verified: bool,
    /// The token it was exchanged for, if that one is still live.
    pub live_successor: Option<RefreshToken>,
    /// How long ago it was spent by the store's own clock, if it has one: the clocks of processes
    /// that share a store may differ.
    pub spent_age: Option<TimeDelta>,
    /// Its session; none before the first exchange of a token that was stored by a program which
    /// knows no sessions. A token whose session is no longer kept is revoked.
    pub session: Option<Session>,
}

/// The refresh tokens.
pub trait RefreshTokenRepository {
    /// Adds a live token, of a session that is there or of none.
    ///
    /// # Errors
    /// [`StoreError`].
    fn insert(&mut self, token: &RefreshToken) -> Result<(), StoreError>;

    /// The token with that identifier.
    ///
    /// # Errors
    /// [`StoreError`].
    fn find(&mut self, jti: Jti) -> Result<Option<FoundToken>, StoreError>;

    /// Spends a token if it is live and not expired at the time of the spending; whether it was.
    /// Of any number of callers exactly one is told so.
    ///
    /// # Errors
    /// [`StoreError`].
    fn spend(&mut self, jti: Jti, spend_record: &SpendRecord) -> Result<bool, StoreError>;

    /// Revokes a token if it is live; whether it was. An exchange of it that is under way is
    /// over, one way or the other, when this returns.
    ///
    /// # Errors
    /// [`StoreError`].
    fn revoke(&mut self, jti: Jti, now: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Looks at up to `limit` rows beyond `after`, in the store's own order, and counts those
    /// whose token expired at `cutoff` or before; `None` where there are no more rows.
    ///
    /// # Errors
    /// [`StoreError`].
    fn scan(&mut self, after: RowCursor, limit: u32, cutoff: DateTime<Utc>) -> Result<Option<RowRange>, StoreError>;

    /// Deletes up to `limit` of the rows of a stretch that were counted, in whatever state; how
    /// many it deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    fn purge(&mut self, range: &RowRange, limit: u32) -> Result<u64, StoreError>;
}

/// A place in the order in which a store has its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowCursor(pub i64);

impl RowCursor {
    /// Before every row.
    pub const FIRST: Self = Self(i64::MIN);
}

/// Rows that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRange {
    /// What they come after.
    pub after: RowCursor,
    /// The last of them.
    pub last: RowCursor,
    /// How many of them have a token that expired at `cutoff` or before.
    pub dead: u64,
    /// The moment that was asked about, in UTC.
    pub cutoff: DateTime<Utc>,
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, went away, or did not answer in time.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// It can be read and not written: a disk that is full or read-only. No outage, for reads
    /// must go on.
    #[error("the store takes no writes: {0}")]
    Unwritable(String),
    /// Every connection, or the one writer, is taken for longer than a caller waits.
    #[error("the store is busy: {0}")]
    Busy(String),
    /// A circuit breaker refused the call.
    #[error("the circuit of the store is open")]
    CircuitOpen {
        /// How long until it lets a call through again.
        retry_after: Duration,
    },
    /// A row breaks an invariant.
    #[error("{table}.{column} of row {id} is unreadable: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's number.
        id: i64,
        /// What is wrong, without the value.
        reason: String,
    },
    /// Anything else: a statement that failed.
    #[error("the store failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// Whether the store itself is at fault: what a circuit breaker counts.
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
