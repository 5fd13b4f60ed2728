//! Verification and change of email addresses, with tokens sent to those addresses.

mod change;
mod inspect;
mod proof;
mod redeem;
mod tokens;
mod verify;

pub use change::{EmailChangeRequest, EmailChangeRequested, RequestEmailChange};
pub use inspect::{InspectToken, Inspected};
pub use proof::ClaimedToken;
pub(crate) use redeem::RedeemError;
pub use redeem::RedeemReason;
pub use tokens::OneTimeTokens;
pub use verify::{EmailVerification, EmailVerified, VerifyEmail, VerifyEmailError, VerifyEmailReason};
