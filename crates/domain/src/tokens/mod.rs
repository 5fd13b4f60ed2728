//! Access tokens, refresh tokens and challenges: claims, ids, rotation and verdicts.

mod claims;
mod jti;
mod refresh_token;
mod verdict;

pub use claims::{
    AccessClaims, CarriedClaims, ChallengeClaims, ChallengePurpose, Claims, MAX_IAT_SKEW, RefreshClaims,
    TokenLifetimes, TokenRejection,
};
pub use jti::Jti;
pub use refresh_token::{IdempotencyKeyDigest, RefreshState, RefreshToken, SpendError, SpendRecord};
pub use verdict::{RefreshContext, RefreshPolicy, TokenSession, Verdict};
