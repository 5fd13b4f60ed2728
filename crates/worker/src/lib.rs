//! Threads that run a background job. They wake on notification and poll at an interval. The job
//! decides what to do.

mod notifier;
mod worker;

pub use notifier::Notifier;
pub use worker::{Job, NextStep, Worker, WorkerSettings};
