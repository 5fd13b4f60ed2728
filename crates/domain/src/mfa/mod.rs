//! Second factors: time-based one-time passwords (TOTP).

mod totp;

pub use totp::{TimeStep, TotpCode, TotpSecret, matching_step, otpauth_uri};
