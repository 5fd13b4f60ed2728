//! Signing in.

mod entry;
mod owner;
mod password;

pub(crate) use owner::WrongPassword;
pub use owner::{Reauthentication, ReauthenticationError};
pub use password::{LogIn, LogInError, LoggedIn, PasswordLogin};
