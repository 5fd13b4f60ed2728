//! Login and reauthentication.

mod begin_session;
mod password;
mod reauthentication;

pub use password::{LogIn, LogInError, LoggedIn, PasswordLogin};
pub(crate) use reauthentication::{MAX_ATTEMPTS, WrongPassword, hash_contention};
pub use reauthentication::{Reauthentication, ReauthenticationError};
