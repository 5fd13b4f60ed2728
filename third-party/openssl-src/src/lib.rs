//! openssl-src 400 under the version that openssl-sys asks for (see Cargo.toml).

pub use upstream::*;
