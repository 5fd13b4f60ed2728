//! The documented promises to clients, one file per section.

mod adopted_accounts;
mod adoption;
mod api_document;
mod bodies;
mod envelope;
mod examples;
mod framing;
mod hashes;
mod headers;
mod health;
mod histories;
mod login;
mod logout;
mod logs;
mod me;
mod passwords;
mod problems;
mod refresh;
mod register;
mod request_ids;
mod sessions;
mod slashes;
mod store;
mod token_forgeries;
mod tokens;
mod verdicts;
