//! Checks the Redis server that replicas share.

use super::{Finding, clocks};
use crate::settings::Settings;
use portcullis_ports::Clock;
use portcullis_redis::RedisInfo;
use std::sync::Arc;

const CHECK: &str = "redis";
/// Response time from which to warn. The service itself limits a call to 40 ms.
const SLOW_MILLIS: u128 = 100;

/// Checks the connection, permissions, memory policy and clock.
pub(super) fn examine(settings: &Settings, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let Some(url) = &settings.limits.redis else { return Vec::new() };
    let start = clock.monotonic();
    let examination = match RedisInfo::of(url) {
        Ok(examination) => examination,
        Err(error) => {
            let what = format!("{} does not respond: {error}", url.host_and_port());
            let advice = "start Redis, or check REDIS_URL; until then each replica counts limits separately";
            return vec![Finding::error(CHECK, what, advice)];
        }
    };
    let millis = clock.monotonic().saturating_sub(start).as_millis();
    let version = examination.version.as_deref().unwrap_or("unknown version");
    let what = format!("{} ({version}) responded in {millis} ms, including the connection", url.host_and_port());
    let mut findings = vec![if millis > SLOW_MILLIS {
        Finding::warning(CHECK, what, "move Redis closer: the service gives a call 40 ms, then uses local limits")
    } else {
        Finding::ok(CHECK, what)
    }];
    findings.extend(examination.refusal.as_ref().map(|refusal| {
        let advice = if refusal.is_of_user {
            "grant the user the rights that docs/features/limits.md lists; until then each replica counts limits \
             separately"
        } else {
            "point REDIS_URL at a server that takes writes, or mend this one; until then each replica counts limits \
             separately"
        };
        Finding::error(CHECK, refusal.reason.clone(), advice)
    }));
    findings.extend(memory(&examination));
    findings.extend(examination.now.map(|now| clocks("the clock of Redis", clock.now(), now)));
    findings
}

fn memory(examination: &RedisInfo) -> Option<Finding> {
    let (bytes, policy) = (examination.max_memory?, examination.eviction.as_deref()?);
    let what = format!("maxmemory is {} MiB, and maxmemory-policy {policy}", bytes >> 20);
    Some(match policy {
        "noeviction" => {
            let advice = "set maxmemory-policy to volatile-ttl: otherwise Redis cannot count limits once it is full";
            Finding::warning(CHECK, what, advice)
        }
        _ => Finding::ok(CHECK, what),
    })
}
