//! Getting back into an account.

mod set_password;

pub use set_password::{PasswordSet, PasswordSetting, SetPassword, SetPasswordError};
