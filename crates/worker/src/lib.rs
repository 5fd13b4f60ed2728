//! Threads that do what there is to do in the background, and wait for more: woken by a bell, and
//! looking for themselves now and then. What they do is left to the job.

mod notifier;
mod worker;

pub use notifier::Notifier;
pub use worker::{Job, NextStep, Worker, WorkerSettings};
