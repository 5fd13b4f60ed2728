//! TLS for a server.

use super::{Outcome, Server, expect_ok, installation};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

impl Server {
    /// Enables TLS for new connections, with a certificate and its key in PEM. Plaintext connections
    /// are still accepted.
    pub fn offer_tls(&self, certificate: &str, key: &str) {
        expect_ok(self.write("server.crt", certificate).and_then(|()| self.write("server.key", key)));
        self.psql("postgres", "ALTER SYSTEM SET ssl = on");
        self.psql("postgres", "SELECT pg_reload_conf()");
        assert!(super::eventually(|| self.psql("postgres", "SHOW ssl") == "on\n"), "the server offers no TLS");
    }

    fn write(&self, name: &str, text: &str) -> Outcome {
        let file = self.folder.join("data").join(name);
        let written = fs::write(&file, text).and_then(|()| fs::set_permissions(&file, Permissions::from_mode(0o600)));
        let owned = written.and_then(|()| installation().user.map_or(Ok(()), |(u, g)| chown(&file, Some(u), Some(g))));
        owned.map_err(|e| format!("{}: {e}", file.display()))
    }
}
