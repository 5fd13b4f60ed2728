//! The process: how it starts and refuses to, how it ends, and what survives when it, its
//! database or its log's reader does not.

mod configuration;
mod contention;
mod kills;
mod oracle;
mod outage;
mod output;
mod overload;
mod refusals;
mod signals;
