//! Signing in.

mod entry;
mod owner;
mod password;

pub(crate) use owner::{LOOKS, WrongPassword, contended};
pub use owner::{Reauthentication, ReauthenticationError};
pub use password::{LogIn, LogInError, LoggedIn, PasswordLogin};
