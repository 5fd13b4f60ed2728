//! Sessions: start, end, timeline and client.

mod client_info;
mod device;
mod end;
mod event;
mod id;
mod page_cookie;
mod session;

pub use client_info::{ClientInfo, UserAgent};
pub use device::{DeviceHash, KeepSessions, SourceHash};
pub use end::{EndReason, SessionEnd};
pub use event::{EventKind, SessionEvent};
pub use id::SessionId;
pub use page_cookie::PageCookie;
pub use session::{Session, SessionPolicy, SessionState};
