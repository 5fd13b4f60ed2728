//! Changing and resetting passwords.

mod change;
mod request;
mod reset;

pub use change::{ChangePassword, ChangePasswordError, PasswordChange, PasswordChanged};
pub use request::{RequestReset, RequestResetError, ResetRequest, ResetRequested};
pub use reset::{PasswordReset, PasswordWasReset, ResetPassword, ResetPasswordError};
