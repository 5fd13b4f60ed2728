//! Checks that a server takes the writes of this user.

use crate::script::Script;
use redis::{Connection, RedisResult};

/// Key that the check writes and deletes.
pub(crate) const KEY: &str = "portcullis:trial";

/// Script that runs every command of the other scripts, in one round trip.
pub(crate) struct Trial(Script);

impl Trial {
    pub(crate) fn new() -> Self {
        Self(Script::new(include_str!("trial.lua")))
    }

    /// Writes a key of its own, which expires, and deletes it.
    ///
    /// # Errors
    /// Returns the server's error if it takes no writes, or this user lacks a permission.
    pub(crate) fn run(&self, connection: &mut Connection) -> RedisResult<()> {
        self.0.run(connection, &[KEY.to_owned()], &[]).map(drop)
    }
}
