//! Tests that the service survives the failovers of a PostgreSQL cluster under Patroni without losing a write,
//! in `xtask/patroni/trial.py`, with the files in `deploy/patroni` and `deploy/haproxy`.

use super::tools;
use anyhow::Result;
use std::process::Command;
use xtask::install::database_server;
use xtask::repository::{portcullis, root, run};

pub(crate) fn check() -> Result<()> {
    for (program, package) in
        [("patroni", "patroni"), ("etcd", "etcd-server"), ("haproxy", "haproxy"), ("prometheus", "prometheus")]
    {
        tools::program(program, package)?;
    }
    let programs = database_server::programs()?;
    let mut trial = Command::new("python3");
    trial.arg(root().join("xtask/patroni/trial.py")).arg(portcullis(false)?).arg(root());
    run("trial of failovers", trial.env(database_server::VARIABLE, programs).env("PYTHONDONTWRITEBYTECODE", "1"))
}
