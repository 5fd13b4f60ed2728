//! Ports: traits through which the use cases access storage, clocks, randomness and other services,
//! and the errors of those traits.
//!
//! Every trait is object-safe and synchronous. Async programs call it from a blocking thread. Start
//! with [`Store`], which gives access to all stored data.

#![warn(missing_docs)]

mod cancellation;
mod clock;
mod deletion;
mod entropy;
mod factors;
mod health;
mod limits;
mod mail;
mod observers;
mod outbound;
mod passkeys;
mod password;
mod providers;
mod registration;
mod sealer;
mod sessions;
mod shared_circuits;
mod store;
mod tokens;
mod totp;
mod verification;

pub use cancellation::{CANCEL_GRACE, CancellationToken};
pub use clock::Clock;
pub use deletion::{Remains, UserDeletion};
pub use entropy::{Entropy, EntropyExt};
pub use factors::FactorRepository;
pub use health::{CircuitMonitor, CircuitStatus};
pub use limits::{
    Charge, Exceeded, HeldCharge, LimiterError, MacSigner, RateLimiter, Reservation, ReserveOutcome, signers,
};
pub use mail::{
    MailId, MailRenderer, Mailer, MailerError, OutboxCounts, OutboxNotifier, OutboxRepository, QueuedMail, RenderError,
};
pub use observers::{
    MailEvent, MailObserver, RefreshObserver, SecondFactorObserver, SecondFactorOutcome, SignInObserver,
};
pub use outbound::{OutboundError, OutboundHttp, OutboundRequest, OutboundResponse};
pub use passkeys::{MalformedCredential, PasskeyRepository, PasskeyVerifier};
pub use password::{HasherError, PasswordBlocklist, PasswordCheck, PasswordHasher};
pub use providers::{
    AuthorizationRequest, CodeCallback, IdentityProvider, IdentityRepository, NativeSignIn, ProviderError,
    SignInRepository,
};
pub use registration::{CredentialRepository, EmailChange, UserRepository};
pub use sealer::{Opened, SealError, Sealer};
pub use sessions::{BearerIdentity, ListedSession, ResolvedBearer, SessionCutoffs, SessionRepository};
pub use shared_circuits::{CircuitUpdate, SharedCircuits, SharedCircuitsError};
pub use store::{
    FoundToken, RefreshTokenRepository, Rotation, RowCursor, RowRange, Store, StoreError, StoreExt, Tx, TxMode,
    TxOutcome, TxWork, rotate_in_transaction,
};
pub use tokens::{InvalidToken, SigningError, TokenIssuer, TokenVerifier};
pub use totp::TotpGenerator;
pub use verification::OneTimeTokenRepository;
