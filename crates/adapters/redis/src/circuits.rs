//! Circuit-breaker states, shared through Redis.

use crate::RedisPool;
use crate::script::Script;
use portcullis_ports::{CircuitUpdate, SharedCircuits, SharedCircuitsError};
use std::time::Duration;

/// Circuit-breaker states that all replicas share.
pub struct RedisCircuits {
    redis: RedisPool,
    script: Script,
    replica: String,
}

impl RedisCircuits {
    /// Creates a client that uses this pool. The random bytes in `replica` identify this replica.
    #[must_use]
    pub fn new(redis: RedisPool, replica: [u8; 16]) -> Self {
        Self { redis, script: Script::new(include_str!("circuits.lua")), replica: hex::encode(replica) }
    }

    fn run(&self, action: &str, circuit: &str, time: Duration) -> Result<Vec<i64>, SharedCircuitsError> {
        // Both keys share one cluster slot.
        let keys = [format!("portcullis:{{circuits}}:{circuit}"), format!("portcullis:{{circuits}}:{circuit}:probe")];
        let arguments = [action.to_owned(), self.replica.clone(), time.as_millis().max(1).to_string()];
        self.redis.call(|connection| self.script.run(connection, &keys, &arguments)).map_err(SharedCircuitsError)
    }
}

impl SharedCircuits for RedisCircuits {
    fn publish_open(&self, circuit: &str, open_for: Duration) -> Result<u64, SharedCircuitsError> {
        number(&self.run("opened", circuit, open_for)?)
    }

    fn publish_closed(&self, circuit: &str) -> Result<u64, SharedCircuitsError> {
        number(&self.run("closed", circuit, Duration::ZERO)?)
    }

    fn latest(&self, circuit: &str) -> Result<Option<CircuitUpdate>, SharedCircuitsError> {
        match self.run("news", circuit, Duration::ZERO)?.as_slice() {
            [] => Ok(None),
            answer @ [_, open_for] => Ok(Some(CircuitUpdate {
                version: number(answer)?,
                open_for: u64::try_from(*open_for).ok().map(Duration::from_micros),
            })),
            _ => Err(strange()),
        }
    }

    fn claim_probe(&self, circuit: &str, lease: Duration) -> Result<Option<Duration>, SharedCircuitsError> {
        let answer = self.run("claim", circuit, lease)?;
        Ok(answer.first().map(|millis| Duration::from_millis(u64::try_from(*millis).unwrap_or_default())))
    }
}

fn number(answer: &[i64]) -> Result<u64, SharedCircuitsError> {
    answer.first().and_then(|number| u64::try_from(*number).ok()).ok_or_else(strange)
}

fn strange() -> SharedCircuitsError {
    SharedCircuitsError("an answer that is none".to_owned())
}
