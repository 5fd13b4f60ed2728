//! Reports version, memory settings and permissions of a server for `portcullis doctor`.

use crate::RedisUrl;
use crate::opener::Opener;
use crate::refusal::{self, describe};
use crate::trial::{KEY, Trial};
use chrono::{DateTime, Utc};
use redis::{Connection, InfoDict, RedisResult};

/// Properties that a server reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisInfo {
    /// Version, or `None` if the Redis user may not query it.
    pub version: Option<String>,
    /// Memory limit in bytes, or `None` if there is none.
    pub max_memory: Option<u64>,
    /// Eviction policy, or `None` if the Redis user may not query it.
    pub eviction: Option<String>,
    /// Reason why the server refuses the writes of the service, or `None` if it takes them.
    pub refusal: Option<RedisRefusal>,
    /// Clock of the server in UTC, or `None` if it is out of range.
    pub now: Option<DateTime<Utc>>,
}

impl RedisInfo {
    /// Queries a server on a separate connection, with a timeout of 1 s a step.
    ///
    /// # Errors
    /// Returns the kind of the error. The text contains nothing of the URL.
    pub fn of(url: &RedisUrl) -> Result<Self, String> {
        ask(&mut Opener::new(url).connect()?).map_err(|error| describe(&error))
    }
}

/// Reason why a server refuses the writes of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisRefusal {
    /// One line for operators.
    pub reason: String,
    /// Whether the user lacks a permission. Otherwise the server takes no writes of any user.
    pub is_of_user: bool,
}

/// Checks the permissions of the Redis user by running every command that the scripts use. Each one
/// runs directly, because the error of a denied command then names it, and once more in a script.
fn try_rights(connection: &mut Connection) -> RedisResult<()> {
    redis::cmd("SET").arg(KEY).arg("").arg("PX").arg(1000).exec(connection)?;
    for name in ["GET", "PTTL", "DEL"] {
        redis::cmd(name).arg(KEY).exec(connection)?;
    }
    Trial::new().run(connection)
}

fn ask(connection: &mut Connection) -> RedisResult<RedisInfo> {
    let (seconds, micros) = redis::cmd("TIME").query::<(i64, u32)>(connection)?;
    // Optional: the service itself does not need the permission to run INFO.
    let info = redis::cmd("INFO").query::<InfoDict>(connection).ok();
    let tried = try_rights(connection);
    let text = |name: &str| info.as_ref().and_then(|info| info.get::<String>(name));
    Ok(RedisInfo {
        version: text("valkey_version").or_else(|| text("redis_version")),
        max_memory: info.as_ref().and_then(|info| info.get::<u64>("maxmemory")).filter(|bytes| *bytes > 0),
        eviction: text("maxmemory_policy"),
        refusal: tried
            .err()
            .map(|error| RedisRefusal { reason: describe(&error), is_of_user: refusal::is_permission(&error) }),
        now: DateTime::from_timestamp(seconds, micros.saturating_mul(1000)),
    })
}
