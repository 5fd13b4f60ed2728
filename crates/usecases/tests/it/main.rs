//! The use cases over the in-memory store, with a fixed clock and readable doubles. Decisions tested
//! here hold for every adapter.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod accounts;
mod addresses;
mod doubles;
mod first_verification;
mod health;
mod leave;
mod limits;
mod lockout;
mod login;
mod mail;
mod mail_fixtures;
mod maintenance;
mod mfa;
mod mfa_attacks;
mod mfa_fixtures;
mod mfa_limits;
mod notices;
mod overtaken;
mod pages;
mod passkey_fixtures;
mod passkey_sign_in;
mod passkeys;
mod prehijacking;
mod provider_flows;
mod providers;
mod recovery;
mod reencrypt;
mod registration;
mod rotation;
mod sessions;
mod tokens;
mod verdicts;
mod verification;
mod world;
