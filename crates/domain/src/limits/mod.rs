//! How much may be tried, and by whom: budgets as pure arithmetic on values. Keeping the tallies,
//! atomically and for all replicas, is left to whoever implements the port.

mod device;
mod flow;
mod key;
mod rule;
mod source;
mod window;

pub use device::{DeviceCookie, DeviceId, PasswordTag};
pub use flow::Flow;
pub use key::{LimitKey, Subject};
pub use rule::{Budget, Policy, Receipt, Refusal, Rule, Taken, Tally};
pub use source::Source;
pub use window::{Tries, TryReceipt, Waiter, Waits, Window};
