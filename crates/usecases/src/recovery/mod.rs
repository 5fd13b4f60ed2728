//! Getting back into an account: passwords that are changed or forgotten.

mod change;
mod request;
mod reset;

pub use change::{ChangePassword, ChangePasswordError, PasswordChange, PasswordChanged};
pub use request::{RequestReset, RequestResetError, ResetRequest, ResetRequested};
pub use reset::{PasswordReset, PasswordWasReset, ResetPassword, ResetPasswordError};
