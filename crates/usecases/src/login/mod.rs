//! Signing in.

mod password;

pub use password::{LogIn, LogInError, LoggedIn, PasswordLogin};
