//! Issuing, exchanging and checking tokens.

mod authenticate;
mod error;
mod issue;
mod judgement;
mod refresh;

pub use authenticate::{Authenticate, Authenticated, BearerLookup, BearerLookupResult};
pub use error::TokenError;
pub use issue::{TokenFactory, TokenPair};
pub use refresh::{
    PresentedToken, Refresh, RefreshAttempt, RefreshExchange, Refreshed, RotationRequest, RotationResult, SettleOutcome,
};
