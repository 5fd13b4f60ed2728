//! Verification and change of email addresses, with tokens sent to those addresses.

mod change;
mod inspect;
mod proof;
mod redeem;
mod resend;
mod tokens;
mod verify;

pub use change::{EmailChangeAdmission, EmailChangeRequest, EmailChangeRequested, RequestEmailChange};
pub use inspect::{InspectToken, Inspected};
pub use proof::{Browser, Claim};
pub(crate) use redeem::{RedeemError, from_redeem_error};
pub use resend::{ResendVerification, ResendVerificationError, VerificationRequest, VerificationRequested};
pub use tokens::OneTimeTokens;
pub use verify::{EmailVerification, EmailVerified, VerifyEmail, VerifyEmailError};
