//! Finds the programs that tests, gates and bench run, and installs missing ones.

pub mod apt;
pub mod database_extras;
pub mod database_server;
pub mod languages;
pub mod redis_server;
