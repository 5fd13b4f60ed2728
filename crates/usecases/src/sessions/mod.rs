//! Beginning, listing and ending sessions.

mod begin;
mod error;
mod list;
mod logout;
mod logout_all;
mod page;
mod revoke;
mod timeline;

pub use begin::BeginSession;
pub(crate) use begin::{Entry, Uses};
pub use error::{NoSuchSession, SessionError};
pub use list::{ListSessions, OwnSession, SessionsListed};
pub use logout::{LogOut, LoggedOut};
pub use logout_all::{LogOutAll, LoggedOutAll, LogoutAll};
pub use page::{PageCookieValue, PageSessions};
pub use revoke::{RevokeSession, SessionRevocation, SessionRevoked};
pub use timeline::{ReadTimeline, TimelineRead};
