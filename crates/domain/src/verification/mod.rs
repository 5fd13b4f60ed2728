//! One-time tokens, which prove that the user reads the emails sent to an address.

mod record;
mod token;

pub use record::{OneTimeTokenRecord, PasswordVersion, Purpose};
pub use token::{OneTimeToken, TokenDigest, TokenSeed};
