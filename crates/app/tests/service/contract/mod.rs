//! What callers are promised, sentence by sentence: a file for each heading of it.

mod adopted_accounts;
mod adoption;
mod api_document;
mod bodies;
mod envelope;
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
mod token_claims;
mod token_forgeries;
mod tokens;
mod verdicts;
