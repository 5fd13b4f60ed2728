//! Changing and resetting passwords.

mod change;
mod rekey;
mod reset;
mod sign_in_methods;

pub use change::{ChangePassword, ChangePasswordError, ChangePasswordReason, PasswordChange, PasswordChanged};
pub(crate) use rekey::rekey;
pub use reset::{PasswordReset, PasswordWasReset, ResetPassword, ResetPasswordError, ResetPasswordReason};
pub(crate) use sign_in_methods::{remove_all_methods, remove_foreign_methods, remove_sign_in_methods};
