//! What the tests of the running service share: starting it on a fresh database, calling it,
//! reading its log, making tokens that it did not make, and breaking what it stands on.

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
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod services;
pub(crate) mod sockets;
pub(crate) mod timing;

use databases::Backend;
use services::Service;
use std::sync::OnceLock;

/// What a test takes: the service that its database's tests share, or the database to start its
/// own on.
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

/// Makes two tests of each function, one for each database: `name::sqlite`, `name::postgres`.
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
