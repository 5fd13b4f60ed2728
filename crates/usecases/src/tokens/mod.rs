//! Making, exchanging and checking tokens.

mod authenticate;
mod error;
mod issue;
mod judgement;
mod refresh;

pub use authenticate::{Authenticate, Authenticated, Inquiry, LookedUp};
pub use error::TokenError;
pub use issue::{Issuance, TokenPair};
pub use refresh::{Attempt, Exchange, Exchanged, Refresh, RefreshExchange, Refreshed, Settled, Shown};
