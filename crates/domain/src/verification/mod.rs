//! One-time tokens: what proves that somebody reads the mail of an address. Making their random
//! bytes, keeping them and mailing them is left to others.

mod record;
mod token;

pub use record::{OneTimeTokenRecord, PasswordVersion, Purpose};
pub use token::{OneTimeToken, TokenDigest, TokenSeed};
