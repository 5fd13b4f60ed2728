//! Accounts: making them, finding them, switching them off and on, giving them another password, and
//! deleting them.

mod activation;
mod delete;
mod error;
mod leave;
mod list;
mod register;
mod screening;
mod set_password;
mod vouch;

pub use activation::{AccountDisabled, AccountEnabled, AccountSuspension, DisableAccount, EnableAccount};
pub(crate) use delete::Finished;
pub use delete::{AccountDeleted, AccountDeletion, DeleteAccount, DeleteError};
pub use error::AccountError;
pub use leave::{AccountLeave, Leave, Left};
pub use list::{AccountFound, AccountName, AccountsListed, FindAccount, ListAccounts};
pub use register::{Register, RegisterError, Registered, Registration};
pub use screening::Screening;
pub use set_password::{PasswordSet, PasswordSetting, SetPassword, SetPasswordError};
pub use vouch::{EmailVouched, VouchForEmail};
