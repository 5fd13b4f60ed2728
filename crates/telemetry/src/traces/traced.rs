//! Decorator that adds a span to each call of a port, in the caller's trace.

use super::TRACES;
use chrono::{DateTime, Utc};
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_domain::tokens::Claims;
use portcullis_ports::{
    CancellationToken, Charge, HasherError, InvalidToken, LimiterError, Opened, PasswordCheck, PasswordHasher,
    RateLimiter, Reservation, ReserveOutcome, Rotation, SealError, Sealer, SigningError, Store, StoreError,
    TokenIssuer, TokenVerifier, TxMode, TxWork,
};
use std::fmt;
use std::sync::Arc;
use tracing::Span;
use tracing::field::Empty;

/// A port with a span around each call. Forwards calls unchanged; spans contain none of their data.
///
/// ```
/// use portcullis_ports::Store;
/// use portcullis_telemetry::Traced;
/// use std::sync::Arc;
/// fn traced(store: Arc<dyn Store>) -> Arc<dyn Store> {
///     Arc::new(Traced::new(store))
/// }
/// ```
pub struct Traced<P: ?Sized>(Arc<P>);

impl<P: ?Sized> Traced<P> {
    /// Adds spans to a port.
    #[must_use]
    pub fn new(inner: Arc<P>) -> Self {
        Self(inner)
    }
}

impl<P: ?Sized> fmt::Debug for Traced<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traced").finish_non_exhaustive()
    }
}

/// Creates a span with that name. Its level is the highest, so that no log level filters it out.
macro_rules! span {
    ($name:literal) => {
        tracing::error_span!(target: TRACES, $name, "error.type" = Empty)
    };
}

/// Calls the port within the span and records the reason of a failure.
fn within<T, E>(
    span: &Span,
    call: impl FnOnce() -> Result<T, E>,
    reason: impl FnOnce(&E) -> &'static str,
) -> Result<T, E> {
    let outcome = span.in_scope(call);
    if let Err(error) = &outcome {
        span.record("error.type", reason(error));
    }
    outcome
}

fn of_store(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable(_) => "unavailable",
        StoreError::Unwritable(_) => "unwritable",
        StoreError::Busy(_) => "busy",
        StoreError::CircuitOpen { .. } => "circuit_open",
        StoreError::Corrupt { .. } => "corrupt",
        StoreError::Failed(_) => "failed",
    }
}

fn of_mode(mode: TxMode) -> Span {
    match mode {
        TxMode::Read => span!("store read"),
        TxMode::Write => span!("store write"),
    }
}

impl<S: Store + ?Sized> Store for Traced<S> {
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        within(&of_mode(mode), || self.0.transact(mode, work), of_store)
    }

    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        within(&span!("store rotate"), || self.0.rotate(rotations), of_store)
    }

    fn check(&self, mode: TxMode) -> Result<(), StoreError> {
        within(&of_mode(mode), || self.0.check(mode), of_store)
    }
}

fn of_hasher(error: &HasherError) -> &'static str {
    match error {
        HasherError::Busy { .. } => "busy",
        HasherError::Failed(_) => "failed",
    }
}

impl<H: PasswordHasher + ?Sized> PasswordHasher for Traced<H> {
    fn hash(&self, password: &Password, cancellation: &CancellationToken) -> Result<PasswordHash, HasherError> {
        within(&span!("password hash"), || self.0.hash(password, cancellation), of_hasher)
    }

    fn rehash(
        &self,
        password: &Password,
        outdated: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordHash, HasherError> {
        within(&span!("password hash"), || self.0.rehash(password, outdated, cancellation), of_hasher)
    }

    fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError> {
        within(&span!("password verify"), || self.0.verify(password, hash, cancellation), of_hasher)
    }

    fn placeholder(&self) -> PasswordHash {
        self.0.placeholder()
    }

    fn dummy_verify(
        &self,
        password: &Password,
        account: &str,
        cancellation: &CancellationToken,
    ) -> Result<(), HasherError> {
        within(&span!("password stand-in"), || self.0.dummy_verify(password, account, cancellation), of_hasher)
    }
}

fn of_limiter(_: &LimiterError) -> &'static str {
    "unavailable"
}

impl<L: RateLimiter + ?Sized> RateLimiter for Traced<L> {
    fn reserve(&self, charges: &[Charge]) -> Result<ReserveOutcome, LimiterError> {
        within(&span!("limiter reserve"), || self.0.reserve(charges), of_limiter)
    }

    fn refund(&self, reservation: &Reservation) -> Result<(), LimiterError> {
        within(&span!("limiter refund"), || self.0.refund(reservation), of_limiter)
    }

    fn clear(&self, charges: &[Charge]) -> Result<(), LimiterError> {
        within(&span!("limiter clear"), || self.0.clear(charges), of_limiter)
    }

    fn remaining(&self, charge: &Charge) -> Result<u32, LimiterError> {
        within(&span!("limiter remaining"), || self.0.remaining(charge), of_limiter)
    }

    fn check(&self) -> Result<(), LimiterError> {
        within(&span!("limiter check"), || self.0.check(), of_limiter)
    }
}

fn of_issuer(_: &SigningError) -> &'static str {
    "failed"
}

impl<I: TokenIssuer + ?Sized> TokenIssuer for Traced<I> {
    fn sign(&self, claims: &Claims) -> Result<String, SigningError> {
        within(&span!("token sign"), || self.0.sign(claims), of_issuer)
    }
}

/// An invalid token is a normal result, not a failure.
impl<V: TokenVerifier + ?Sized> TokenVerifier for Traced<V> {
    fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, InvalidToken> {
        span!("token verify").in_scope(|| self.0.verify(token, now))
    }
}

fn of_sealer(error: &SealError) -> &'static str {
    match error {
        SealError::UnknownKey => "unknown_key",
        SealError::Damaged => "damaged",
        _ => "failed",
    }
}

impl<S: Sealer + ?Sized> Sealer for Traced<S> {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        within(&span!("secret seal"), || self.0.seal(context, plain), of_sealer)
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Opened, SealError> {
        within(&span!("secret open"), || self.0.open(context, sealed), of_sealer)
    }
}
