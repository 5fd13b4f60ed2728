//! Looks at the server that replicas share.

use super::{Finding, clocks};
use crate::settings::Settings;
use portcullis_ports::Clock;
use portcullis_redis::RedisInfo;
use std::sync::Arc;

const CHECK: &str = "redis";
/// A call of the service has 40 ms in all.
const SLOW_MILLIS: u128 = 100;

/// Everything about it.
pub(super) fn examine(settings: &Settings, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let Some(url) = &settings.limits.redis else { return Vec::new() };
    let start = clock.monotonic();
    let examination = match RedisInfo::of(url) {
        Ok(examination) => examination,
        Err(error) => {
            let what = format!("{} does not answer: {error}", url.host_and_port());
            let advice = "start it, or look at REDIS_URL; until then each replica counts limits alone";
            return vec![Finding::error(CHECK, what, advice)];
        }
    };
    let millis = clock.monotonic().saturating_sub(start).as_millis();
    let version = examination.version.as_deref().unwrap_or("of no told version");
    let what = format!("{} ({version}) answered in {millis} ms, the connection included", url.host_and_port());
    let mut findings = vec![if millis > SLOW_MILLIS {
        Finding::warning(CHECK, what, "put it nearer: a call that takes 40 ms is done without")
    } else {
        Finding::ok(CHECK, what)
    }];
    findings.extend(examination.refusal.as_ref().map(|refusal| {
        let advice = "grant it what docs/features/limits.md lists; until then each replica counts limits alone";
        Finding::error(CHECK, refusal.clone(), advice)
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
            let advice = "set maxmemory-policy volatile-ttl: once it is full, limits cannot be counted there";
            Finding::warning(CHECK, what, advice)
        }
        _ => Finding::ok(CHECK, what),
    })
}
