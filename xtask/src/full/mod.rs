//! The gates that need tools from outside: one file for each, beside the running service they
//! look at and the tools they install.

pub(crate) mod browser;
pub(crate) mod lint_document;
pub(crate) mod schemathesis;
mod service;
mod tools;
