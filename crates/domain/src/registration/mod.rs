//! Accounts: email address, password, and the account itself.

mod email;
#[cfg(feature = "international")]
mod international;
mod password;
mod user;

pub use email::{EmailAddress, EmailError};
pub use password::{NewPassword, Password, PasswordError, PasswordPolicy};
pub use user::{NewUser, PasswordHash, User, UserId};
