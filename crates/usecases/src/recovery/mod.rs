//! Changing and resetting passwords.

mod change;
mod rekey;
mod reset;

pub use change::{ChangePassword, ChangePasswordError, ChangePasswordReason, PasswordChange, PasswordChanged};
pub(crate) use rekey::rekey;
pub use reset::{PasswordReset, PasswordWasReset, ResetPassword, ResetPasswordError, ResetPasswordReason};
