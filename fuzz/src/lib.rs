//! What reads strangers' bytes, held against oracles: one function for each fuzz target. libFuzzer
//! feeds them by `cargo xtask fuzz`; `tests/replay.rs` feeds them what is kept in `corpus` and
//! `regressions`. A function that returns found nothing; one that panics did.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a fault is told by a panic")]

mod bodies;
mod email;
// The binary has no library: how it puts these verbs together is built in here.
#[path = "../../crates/app/src/account_wiring.rs"]
mod account_wiring;
mod passwords;
mod requests;
mod service;
mod settings;
mod tokens;

pub use bodies::bodies;
pub use email::email;
pub use passwords::passwords;
pub use requests::requests;
pub use settings::settings;
pub use tokens::tokens;

/// A function that takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also its program's and its folders'.
pub const TARGETS: [(&str, Target); 6] = [
    ("bodies", bodies),
    ("email", email),
    ("passwords", passwords),
    ("requests", requests),
    ("settings", settings),
    ("tokens", tokens),
];
