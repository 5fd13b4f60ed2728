//! Rate limits as pure arithmetic on values. An implementation of the port stores the tallies,
//! atomically and for all replicas.

mod device;
mod gcra;
mod key;
mod rule;
mod sliding_window;
mod source;

pub use device::{DeviceCookie, DeviceId, PasswordTag};
pub use gcra::Gcra;
pub use key::{LimitKey, LimitSubject};
pub use rule::{Acquired, Budget, QuotaPolicy, Receipt, Rule, Tally, Throttled};
pub use sliding_window::{Backoff, SlidingWindow, Waiter, WindowReceipt, WindowState};
pub use source::Source;
