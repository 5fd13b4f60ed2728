//! Gates that need tools from other registries, the service they run against, and the installation of
//! the tools.

pub(crate) mod alerts;
pub(crate) mod authenticators;
pub(crate) mod browser;
pub(crate) mod cookies;
pub(crate) mod dashboard;
pub(crate) mod deploy;
pub(crate) mod image;
pub(crate) mod lint_document;
pub(crate) mod pages;
pub(crate) mod passkeys;
pub(crate) mod patroni;
pub(crate) mod providers;
pub(crate) mod schemathesis;
mod service;
mod tools;
