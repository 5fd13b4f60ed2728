//! Test harness for the running service: starts it on a fresh database, calls it, reads its log, forges
//! tokens and breaks its dependencies.

pub(crate) mod accounts;
pub(crate) mod bounds;
pub(crate) mod calls;
pub(crate) mod collector;
pub(crate) mod databases;
pub(crate) mod disk;
pub(crate) mod jose;
pub(crate) mod log;
pub(crate) mod mail_server;
pub(crate) mod mails;
pub(crate) mod metrics;
pub(crate) mod mfa;
pub(crate) mod passkeys;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod services;
pub(crate) mod shim;
pub(crate) mod sockets;
pub(crate) mod steps;
pub(crate) mod timing;
pub(crate) mod totp;

use databases::Backend;
use services::Service;
use std::sync::OnceLock;

/// A test's argument: the service shared by all tests of one database, or the database to start a separate
/// one on.
pub(crate) trait Fixture {
    fn on(backend: Backend) -> Self;
}

impl Fixture for Backend {
    fn on(backend: Backend) -> Self {
        backend
    }
}

impl Fixture for &'static Service {
    fn on(backend: Backend) -> Self {
        static SHARED: [OnceLock<Service>; 2] = [OnceLock::new(), OnceLock::new()];
        let place = match backend {
            Backend::Sqlite => &SHARED[0],
            Backend::Postgres => &SHARED[1],
        };
        place.get_or_init(|| backend.service().start())
    }
}

/// Generates two tests per function, one per database: `name::sqlite` and `name::postgres`.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            use crate::harness::{Fixture, databases::Backend};

            #[test]
            fn sqlite() {
                super::$name(Fixture::on(Backend::Sqlite));
            }

            #[test]
            fn postgres() {
                super::$name(Fixture::on(Backend::Postgres));
            }
        }
    )+ };
}
pub(crate) use on_both_databases;
