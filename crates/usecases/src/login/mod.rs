//! Signing in.

mod entry;
mod owner;
mod password;

pub use owner::Reauthentication;
pub(crate) use owner::WrongPassword;
pub use password::{LogIn, LogInError, LoggedIn, PasswordLogin};
