//! Tests of the store through its public interface, on both databases: the conformance suite, and
//! adoption, damage, locks, lost files and lost servers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failed step fails the test")]

/// Generates a test of each generic function for both databases.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test::<crate::sqlite::Sandbox>(); })+
        }
        mod postgres {
            $(#[test] fn $test() { super::$test::<crate::postgres::Sandbox>(); })+
        }
    };
}

mod adoption;
mod credentials;
mod databases;
mod inspection;
mod logs;
mod mail;
mod migrations;
mod passkeys;
mod plans;
mod postgres;
mod samples;
mod sqlite;
