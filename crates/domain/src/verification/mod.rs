//! One-time tokens: what proves that somebody reads the mail of an address. Making their random
//! bytes, keeping them and mailing them is left to others.

mod grant;
mod token;

pub use grant::{Grant, PasswordVersion, Purpose};
pub use token::{OneTimeToken, Seed, TokenDigest};
