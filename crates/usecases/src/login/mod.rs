//! Login and reauthentication.

mod gate;
mod password;
mod proof;
mod reauthentication;

pub use gate::Gate;
pub use password::{LogIn, LogInError, LogInReason, LoggedIn, PasswordLogin};
pub(crate) use proof::{MAX_ATTEMPTS, hash_contention};
pub use reauthentication::{
    OwnerProof, Reauthentication, ReauthenticationError, ReauthenticationReason, WrongPassword,
};
