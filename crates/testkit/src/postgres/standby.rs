//! Hot standby of a server.

use super::{Server, expect_ok, fresh_folder, installation, run};

impl Server {
    /// Starts a hot standby of this server.
    #[must_use]
    pub fn start_standby(&self) -> Self {
        let folder = fresh_folder();
        let data = folder.join("data");
        let mut copy = installation().command("pg_basebackup");
        copy.args(["-R", "-c", "fast", "--no-sync", "-d", &self.url("postgres")]).arg("-D").arg(data);
        expect_ok(run(&mut copy));
        expect_ok(Self::start_in(&folder, self.german))
    }

    /// Promotes a standby.
    pub fn promote(&self) {
        expect_ok(self.pg_ctl(&["promote"]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standby_has_the_data_and_takes_writes_once_it_is_promoted() {
        let server = Server::start();
        server.psql("postgres", "CREATE TABLE kept AS SELECT 7 AS n");
        let standby = server.start_standby();
        assert_eq!(standby.psql("postgres", "SELECT n, pg_is_in_recovery() FROM kept"), "7|t\n");
        assert!(standby.try_psql("postgres", "DELETE FROM kept").is_err());
        standby.promote();
        standby.psql("postgres", "DELETE FROM kept");
    }
}
