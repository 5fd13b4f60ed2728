//! Imports of the fault tests, and the steps that several of them share.

pub(crate) use crate::harness::accounts::{Account, Pair, fresh_email};
pub(crate) use crate::harness::bounds::{SetOnDrop, within_deadline};
pub(crate) use crate::harness::calls::{Reply, agent};
pub(crate) use crate::harness::databases::{Backend, Database, sqlite};
pub(crate) use crate::harness::jose::claims;
pub(crate) use crate::harness::log::{Log, of_login};
pub(crate) use crate::harness::on_both_databases;
pub(crate) use crate::harness::services::{Service, ServiceBuilder};
pub(crate) use crate::harness::sockets::Connection;
pub(crate) use crate::harness::timing::{
    KillOnDrop, TIMEOUT, eventually, fresh_folder, long_form, pause, timed, unix_now,
};
pub(crate) use crate::load::work;
pub(crate) use crate::oracle::check;
pub(crate) use portcullis_testkit::postgres::Server;
pub(crate) use serde_json::{Value, json};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
pub(crate) use std::time::Duration;
pub(crate) use std::{fs, thread};

/// Starts a PostgreSQL server for one test, which runs as long as the process.
pub(crate) fn own_server() -> &'static Server {
    Box::leak(Box::new(Server::start()))
}

/// Starts such a server and a service on it.
pub(crate) fn on_own_server() -> (&'static Server, Service) {
    let server = own_server();
    (server, ServiceBuilder::over(&Database::on(server)).start())
}

/// Makes concurrent calls. Returns the results in order.
pub(crate) fn at_once<T: Send>(calls: usize, call: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let call = &call;
        let calls: Vec<_> = (0..calls).map(|number| scope.spawn(move || call(number))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    })
}

impl Service {
    /// Returns the state of the database's circuit.
    pub(crate) fn circuit(&self) -> String {
        self.get("/health/ready").json()["circuits"]["database"]["state"].as_str().unwrap().to_owned()
    }

    /// Returns the events with this message so far.
    pub(crate) fn events(&self, message: &str) -> Vec<Value> {
        self.log.events().into_iter().filter(|event| event["message"] == message).collect()
    }
}
