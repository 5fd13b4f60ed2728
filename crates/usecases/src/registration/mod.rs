//! Accounts: creating, finding, listing, disabling, enabling and deleting them, and setting their
//! passwords.

mod activation;
mod delete;
mod delete_own;
mod error;
mod list;
mod register;
mod screening;
mod set_password;
mod show;
mod vouch;

pub use activation::{AccountDisabled, AccountEnabled, DisableAccount, EnableAccount};
pub(crate) use delete::Finished;
pub use delete::{AccountDeleted, DeleteAccount};
pub use delete_own::{DeleteOwnAccount, OwnAccountDeleted, OwnAccountDeletion};
pub use error::{AccountError, AccountReason};
pub use list::{AccountFound, AccountRef, AccountsListed, FindAccount, ListAccounts};
pub use register::{Register, RegisterError, RegisterReason, Registered, Registration};
pub use screening::PasswordScreening;
pub use set_password::{PasswordOverride, PasswordSet, SetPassword};
pub use show::{AccountDetails, ShowAccount};
pub use vouch::{EmailVouched, VouchForEmail};
