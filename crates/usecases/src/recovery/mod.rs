//! Changing and resetting passwords.

mod change;
mod reset;

pub use change::{ChangePassword, ChangePasswordError, ChangePasswordReason, PasswordChange, PasswordChanged};
pub use reset::{PasswordReset, PasswordWasReset, ResetPassword, ResetPasswordError, ResetPasswordReason};
