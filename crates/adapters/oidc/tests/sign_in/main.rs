//! Sign-ins with a scripted provider. Tests are named after the modules of the OpenID conformance suite's
//! Basic RP and Config RP plans where one exists (`oidcc-client-test-…`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod cache;
mod claims;
mod exchange;
mod github;
mod keys;
mod kinds;
mod native;
mod test_keys;
mod world;
