//! The use cases over the in-memory store, a clock that stands still and doubles whose work can
//! be read: what is decided here holds for every adapter.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod accounts;
mod doubles;
mod health;
mod limits;
mod login;
mod maintenance;
mod registration;
mod sessions;
mod tokens;
mod verdicts;
mod world;
