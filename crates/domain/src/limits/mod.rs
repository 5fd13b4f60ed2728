//! Rate-limit algorithms, as pure functions of values. Implementations of the `RateLimiter` port store
//! the tallies, in memory or shared between replicas, and update them atomically. A *budget* is a
//! named limit; a *tally* is its state for one subject, such as an account or a source.

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
