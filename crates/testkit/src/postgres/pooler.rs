//! PgBouncer in front of a server.

use super::{Outcome, Server, eventually, expect_ok, installation};
use crate::free_ports::free_ports;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs};

/// PgBouncer on a free port of 127.0.0.1, stopped when dropped.
pub struct Pooler {
    process: Child,
    port: u16,
}

impl Pooler {
    /// Starts PgBouncer in front of a server, with a `pool_mode` and other settings, one per line.
    ///
    /// # Panics
    /// Panics if PgBouncer is not installed or does not start.
    #[must_use]
    pub fn start(server: &Server, mode: &str, settings: &str) -> Self {
        expect_ok(Self::try_start(server, &format!("pool_mode = {mode}\n{settings}\n")))
    }

    /// Returns the URL of a database through the pooler.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn try_start(server: &Server, settings: &str) -> Outcome<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let port = free_ports().next().ok_or("no port is free")?;
        let folder = installation().folder.join(format!("pooler-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let config = folder.join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npidfile = {}\n\
             ignore_startup_parameters = options\n{settings}",
            server.port,
            folder.join("pooler.pid").display(),
        );
        fs::create_dir(&folder).and_then(|()| fs::write(&config, text)).map_err(|e| e.to_string())?;
        let mut command = Command::new(program()?);
        if let Some((uid, gid)) = installation().user {
            use std::os::unix::{fs::chown, process::CommandExt};
            chown(&folder, Some(uid), Some(gid)).map_err(|e| e.to_string())?;
            command.uid(uid).gid(gid);
        }
        command.arg(&config).current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().map_err(|e| format!("{command:?}: {e}"))?;
        let pooler = Self { process, port };
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        if eventually(listens) { Ok(pooler) } else { Err("PgBouncer does not listen".to_owned()) }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Finds the program on the path, or where Debian installs it.
fn program() -> Outcome<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain([Path::new("/usr/sbin").to_path_buf()]);
    places.map(|place| place.join("pgbouncer")).find(|program| program.is_file()).ok_or_else(|| {
        "this test needs PgBouncer: `cargo xtask test` installs it, or `apt-get install pgbouncer`".to_owned()
    })
}
