//! Fuzz targets: one function for each parser of untrusted input, checked against oracles. `cargo xtask
//! fuzz` runs them in libFuzzer; `tests/replay.rs` replays the inputs in `corpus` and `regressions`. A
//! target panics if it finds a fault.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a target reports a fault by a panic")]

mod bodies;
mod email;
mod passkeys;
mod passwords;
mod requests;
mod service;
mod settings;
mod tokens;

pub use bodies::bodies;
pub use email::email;
pub use passkeys::passkeys;
pub use passwords::passwords;
pub use requests::requests;
pub use settings::settings;
pub use tokens::tokens;

/// Function that takes arbitrary bytes.
pub type Target = fn(&[u8]);

/// Every target by name, which is also the name of its program and its folders.
pub const TARGETS: [(&str, Target); 7] = [
    ("bodies", bodies),
    ("email", email),
    ("passkeys", passkeys),
    ("passwords", passwords),
    ("requests", requests),
    ("settings", settings),
    ("tokens", tokens),
];
