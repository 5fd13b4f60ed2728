//! Cryptography of second factors by aws-lc: encryption of stored secrets, and codes of authenticator apps.

mod sealer;
mod totp;

pub use sealer::AesGcmSealer;
pub use totp::HmacTotp;
