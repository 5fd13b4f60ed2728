//! Parts of the repository tasks that the bench uses too.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tasks print to the terminal")]
#![expect(clippy::disallowed_methods, reason = "tasks read the environment")]

pub mod install;
pub mod repository;
