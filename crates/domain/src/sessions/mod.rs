//! Sessions: what a login starts, what ends it, and what is remembered of it.

mod device;
mod ending;
mod event;
mod id;
mod origin;
mod session;

pub use device::{DeviceMark, SourceMark, Spared};
pub use ending::{EndReason, Ending};
pub use event::{EventKind, SessionEvent};
pub use id::SessionId;
pub use origin::{Origin, UserAgent};
pub use session::{Session, SessionPolicy, SessionState};
