//! Threads that do what there is to do in the background, and wait for more: woken by a bell, and
//! looking for themselves now and then. What they do is left to the job.

mod bell;
mod worker;

pub use bell::Bell;
pub use worker::{Job, Next, Pace, Worker};
