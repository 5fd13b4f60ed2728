//! Ending sessions.

mod logout;

pub use logout::{LogOut, LoggedOut, Logout};
