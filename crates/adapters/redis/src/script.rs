//! Lua script that the server caches by its digest.

use redis::{Connection, ErrorKind, RedisResult, ServerErrorKind};

/// Lua script and its SHA-1 digest, for `EVALSHA`.
pub(crate) struct Script {
    text: &'static str,
    digest: String,
}

impl Script {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text, digest: redis::Script::new(text).get_hash().to_owned() }
    }

    /// Runs the script in one round trip, or in two if the server does not have it, as after a restart
    /// or flush.
    pub(crate) fn run(
        &self,
        connection: &mut Connection,
        keys: &[String],
        arguments: &[String],
    ) -> RedisResult<Vec<i64>> {
        let run = |connection: &mut Connection, name: &str, script: &str| {
            redis::cmd(name).arg(script).arg(keys.len()).arg(keys).arg(arguments).query(connection)
        };
        match run(connection, "EVALSHA", &self.digest) {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                run(connection, "EVAL", self.text)
            }
            known => known,
        }
    }
}
