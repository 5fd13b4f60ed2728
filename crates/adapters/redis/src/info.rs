//! What a server tells of itself, for whoever looks after it. What of it is bad is left to them.

use crate::RedisUrl;
use crate::connections::{describe, open};
use crate::script::Script;
use chrono::{DateTime, Utc};
use redis::{Client, Connection, InfoDict, RedisResult};

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisInfo {
    /// Its version, if it tells.
    pub version: Option<String>,
    /// The most memory that it takes, in bytes, if there is a bound.
    pub max_memory: Option<u64>,
    /// What it does when that is full, if it tells.
    pub eviction: Option<String>,
    /// Why it refuses what the service does there, if it does.
    pub refusal: Option<String>,
    /// Its clock, in UTC, if it tells one that there can be.
    pub now: Option<DateTime<Utc>>,
}

impl RedisInfo {
    /// Asks on a connection of its own, which is given a second.
    ///
    /// # Errors
    /// The kind of what went wrong, in words that hold nothing of the address.
    pub fn of(url: &RedisUrl) -> Result<Self, String> {
        ask(url).map_err(|error| describe(&error))
    }
}

/// Runs every command of the scripts, outside of one, where a refusal names it, and within one. The key is
/// one that does not exist, so nothing is changed.
fn try_rights(connection: &mut Connection) -> RedisResult<()> {
    const KEY: &str = "portcullis:trial";
    for name in ["GET", "PTTL", "DEL"] {
        redis::cmd(name).arg(KEY).exec(connection)?;
    }
    redis::cmd("SET").arg(KEY).arg("").arg("PX").arg(1).arg("XX").exec(connection)?;
    Script::new(include_str!("trial.lua")).run(connection, &[KEY.to_owned()], &[]).map(drop)
}

fn ask(url: &RedisUrl) -> RedisResult<RedisInfo> {
    let mut connection = open(&Client::open(url.0.clone())?)?;
    let (seconds, micros) = redis::cmd("TIME").query::<(i64, u32)>(&mut connection)?;
    // A user who may not ask for it can still be one that the service gets on with.
    let info = redis::cmd("INFO").query::<InfoDict>(&mut connection).ok();
    let tried = try_rights(&mut connection);
    let text = |name: &str| info.as_ref().and_then(|info| info.get::<String>(name));
    Ok(RedisInfo {
        version: text("valkey_version").or_else(|| text("redis_version")),
        max_memory: info.as_ref().and_then(|info| info.get::<u64>("maxmemory")).filter(|bytes| *bytes > 0),
        eviction: text("maxmemory_policy"),
        refusal: tried.err().map(|error| describe(&error)),
        now: DateTime::from_timestamp(seconds, micros.saturating_mul(1000)),
    })
}
