//! Making accounts.

mod register;

pub use register::{Register, RegisterError, Registered, Registration};
