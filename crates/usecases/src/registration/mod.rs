//! Accounts: making them, finding them, switching them off and on, giving them another password, and
//! deleting them.

mod activation;
mod delete;
mod error;
mod list;
mod register;
mod set_password;

pub use activation::{AccountDisabled, AccountEnabled, AccountSuspension, DisableAccount, EnableAccount};
pub use delete::{AccountDeleted, AccountDeletion, DeleteAccount, DeleteError};
pub use error::AccountError;
pub use list::{AccountFound, AccountName, AccountsListed, FindAccount, ListAccounts};
use register::is_common;
pub use register::{Register, RegisterError, Registered, Registration};
pub use set_password::{PasswordSet, PasswordSetting, SetPassword, SetPasswordError};
