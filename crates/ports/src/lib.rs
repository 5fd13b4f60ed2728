//! The traits that the rules of authentication need from the world, and the errors those may
//! return. Every trait is plain, object-safe and synchronous: whoever lives in an async world
//! makes one hop to a blocking thread and calls from there.
//!
//! [`Store`] is the waist of everything that is kept; the rest are capabilities.

#![warn(missing_docs)]

mod circuits;
mod clock;
mod deletion;
mod entropy;
mod health;
mod limits;
mod mail;
mod observers;
mod password;
mod patience;
mod registration;
mod sessions;
mod store;
mod tokens;
mod verification;

pub use circuits::{BoardError, CircuitBoard, CircuitNews};
pub use clock::Clock;
pub use deletion::{Remains, UserDeletion};
pub use entropy::{Entropy, EntropyExt};
pub use health::{CircuitMonitor, CircuitStatus};
pub use limits::{Charge, Exceeded, Held, LimiterError, MessageAuthenticator, RateLimiter, Reservation, Reserved};
pub use mail::{
    MailId, MailRenderer, Mailer, MailerError, OutboxLoad, OutboxObserver, OutboxRepository, QueuedMail, RenderError,
};
pub use observers::RefreshObserver;
pub use password::{HasherError, PasswordBlocklist, PasswordHasher, Verification};
pub use patience::Patience;
pub use registration::{EmailChange, UserRepository};
pub use sessions::{BearerKey, DeadSessions, FoundBearer, ListedSession, SessionRepository};
pub use store::{
    Conclusion, FoundToken, Mode, RefreshTokenRepository, Rotation, RowNumber, Store, StoreError, StoreExt, Stretch,
    Tx, Work,
};
pub use tokens::{InvalidToken, SigningError, TokenIssuer, TokenVerifier};
pub use verification::OneTimeTokenRepository;
