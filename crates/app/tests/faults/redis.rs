//! F17: Redis is stopped, frozen, emptied, full, read-only or loses data. No request fails or waits for it, and the
//! replicas share their counts again soon after it is back.

use crate::prelude::*;
use portcullis_testkit::redis::Server;
use std::sync::{Arc, Mutex};

/// Maximum wait of a request for Redis.
const WAIT: Duration = Duration::from_millis(50);
/// Maximum time until the replicas share again.
const BACK: Duration = Duration::from_secs(5);

/// Two replicas on one database and one Redis server, and an account.
struct World {
    redis: Server,
    replicas: [Service; 2],
    account: Account,
}

/// Request times of one period, shortest first.
struct Times(Vec<Duration>);

impl Times {
    /// Returns the time that `percent` of the requests did not exceed.
    fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }
}

impl World {
    fn start() -> Self {
        let redis = Server::start();
        let url = redis.url();
        Self::start_on(redis, &url)
    }

    fn start_on(redis: Server, url: &str) -> Self {
        let database = Backend::Sqlite.database();
        let replicas = [(); 2].map(|()| {
            let setup = ServiceBuilder::over(&database).unset("RATE_LIMIT_ENABLED").set("REDIS_URL", url);
            // All load comes from one source.
            setup.set("RATE_LIMIT_SOURCE", "1000000/1s").set("LOG_LEVEL", "WARNING").start_silent()
        });
        let account = replicas[0].account();
        Self { redis, replicas, account }
    }

    /// Runs rate-limited calls at both replicas while `meanwhile` runs. None may fail.
    fn load(&self, meanwhile: impl FnOnce()) -> Times {
        let (over, times) = (AtomicBool::new(false), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for replica in &self.replicas {
                scope.spawn(|| {
                    while !over.load(Ordering::SeqCst) {
                        let (time, reply) = timed(|| replica.login(&self.account.email, &self.account.password));
                        assert_eq!(reply.status, 200, "{}", reply.text());
                        times.lock().unwrap().push(time);
                        let (time, reply) = timed(|| replica.login(&fresh_email(), "wrong"));
                        assert_eq!(reply.status, 401, "{}", reply.text());
                        times.lock().unwrap().push(time);
                    }
                });
            }
            meanwhile();
            over.store(true, Ordering::SeqCst);
        });
        let mut times = times.into_inner().unwrap();
        times.sort_unstable();
        Times(times)
    }

    /// Measures the load without a fault, as the baseline of this machine.
    fn calm(&self) -> Times {
        self.load(|| pause(Duration::from_secs(1)))
    }

    /// Compares load while Redis is lost with the baseline. Most requests do not wait, and the few that
    /// detect the loss wait no longer than allowed.
    fn expect_quick(&self, lose: impl Fn()) {
        let calm = self.calm();
        let lost = self.load(|| {
            lose();
            pause(Duration::from_secs(if long_form() { 20 } else { 3 }));
        });
        for percent in [50, 90] {
            let (calm, lost) = (calm.percentile(percent), lost.percentile(percent));
            assert!(lost < 3 * calm + WAIT / 2, "{percent} %: {lost:?} where it was {calm:?}");
        }
        let (calm, lost) = (calm.percentile(100), lost.percentile(100));
        assert!(lost < 3 * calm + WAIT + WAIT, "at most: {lost:?} where it was {calm:?}");
    }

    /// Returns whether one replica sees what the other counts.
    fn is_shared(&self) -> bool {
        let email = fresh_email();
        let [one, two] = &self.replicas;
        let spent = (0..10).all(|_| one.login(&email, "wrong").status == 401);
        assert!(spent, "a fresh budget has ten tries");
        two.login(&email, "wrong").status == 429
    }

    fn expect_shared_soon(&self) {
        let (mut since, mut shared) = (Duration::ZERO, false);
        while !shared {
            let time;
            (time, shared) = timed(|| self.is_shared());
            since += time;
            assert!(since < BACK, "shared: {shared}, after {since:?}");
        }
    }

    /// Checks that each replica limits, even if it does not know the other's counts.
    fn expect_limits(&self) {
        for replica in &self.replicas {
            let email = fresh_email();
            let replies: Vec<_> = (0..12).map(|_| replica.login(&email, "wrong").status).collect();
            assert_eq!(replies[..10], [401; 10]);
            assert_eq!(replies[10..], [429; 2]);
        }
    }

    /// Checks that each replica logged the loss once, regardless of its duration.
    fn expect_told_once(&self) {
        for replica in &self.replicas {
            let told =
                |event: &serde_json::Value| event["message"].as_str().is_some_and(|m| m.starts_with("Redis is lost"));
            replica.log.wait_for(1, told);
            let events = replica.flushed_log().events();
            let texts = events.iter().filter_map(|event| event["message"].as_str());
            let texts: Vec<_> = texts.filter(|text| text.starts_with("Redis is ")).collect();
            assert!(texts.windows(2).all(|two| two[0] != two[1]), "{texts:?}");
        }
    }
}

/// Checks two replicas whose Redis responds to everything but writes, with an error that has this code.
fn expect_loss_of_writes(lose: &str, mend: &str, code: &str) {
    let redis = Server::start();
    assert_eq!(redis.command(GATE), "+OK");
    let url = redis.url().replace("redis://", "redis://gate:pw@");
    let world = World::start_on(redis, &url);
    assert!(world.is_shared());
    assert_eq!(world.redis.command(lose), "+OK");
    for replica in &world.replicas {
        // Readiness alone notices it, without a user's call.
        eventually("it is missed", || {
            (replica.get("/health/ready").expect(200)["checks"]["redis"]["status"] == "degraded").then_some(())
        });
    }
    world.expect_limits();
    // A few probes.
    pause(Duration::from_secs(3));
    for replica in &world.replicas {
        let is_lost = |event: &Value| event["message"].as_str().is_some_and(|text| text.starts_with("Redis is lost"));
        let lost = replica.log.wait_for(1, is_lost);
        assert!(lost[0]["reason"].as_str().is_some_and(|reason| reason.contains(code)), "{lost:?}");
        let told = |event: &&Value| event["message"].as_str().is_some_and(|text| text.starts_with("Redis is "));
        assert_eq!(
            replica.flushed_log().events().iter().filter(told).count(),
            1,
            "what it reads does not bring it back"
        );
    }
    assert_eq!(world.redis.command(mend), "+OK");
    world.expect_shared_soon();
}

/// Creates a user with every right that the service needs.
const GATE: &str = "ACL SETUSER gate reset on >pw ~portcullis:* +@all";

#[test]
fn a_redis_that_became_a_replica_is_lost_until_it_is_a_master() {
    expect_loss_of_writes("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "READONLY");
}

#[test]
fn a_full_redis_is_lost_until_it_has_room() {
    expect_loss_of_writes("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM");
}

#[test]
fn a_redis_whose_user_may_not_write_is_lost_until_it_may() {
    expect_loss_of_writes("ACL SETUSER gate -set", GATE, "NOPERM");
}

#[test]
fn a_killed_redis_fails_and_delays_no_request() {
    let world = World::start();
    assert!(world.is_shared());
    world.expect_quick(|| world.redis.kill());
    world.expect_limits();
    world.expect_told_once();
    world.redis.restart();
    world.expect_shared_soon();
}

#[test]
fn a_frozen_redis_fails_and_delays_no_request() {
    let world = World::start();
    world.expect_quick(|| world.redis.pause());
    world.expect_limits();
    world.expect_told_once();
    world.redis.resume();
    world.expect_shared_soon();
}

#[test]
fn emptied_redis_lifts_no_limit_for_good_and_blocks_no_user() {
    let world = Arc::new(World::start());
    let email = fresh_email();
    let [one, two] = &world.replicas;
    let spend = |replica: &Service| (0..20).filter(|_| replica.login(&email, "wrong").status == 401).count();
    assert_eq!(spend(one), 10);
    let answers = world.load(|| {
        for _ in 0..10 {
            world.redis.command("FLUSHALL");
            world.redis.command("SCRIPT FLUSH");
            pause(Duration::from_millis(50));
        }
    });
    assert!(!answers.0.is_empty());
    assert_eq!(spend(one), 0, "a replica knows what passed it");
    assert_eq!(spend(two), 10, "and another no more than was forgotten");
    assert_eq!(spend(two), 0);
    world.expect_shared_soon();
}

#[test]
fn an_evicting_redis_and_a_full_one_fail_no_request() {
    let world = World::start();
    world.redis.command("CONFIG SET maxmemory-policy allkeys-random");
    world.redis.command("CONFIG SET maxmemory 1");
    let evicting = world.calm();
    world.expect_limits();
    world.redis.command("CONFIG SET maxmemory-policy noeviction");
    let full = world.calm();
    assert!(!evicting.0.is_empty() && !full.0.is_empty());
    world.expect_limits();
    world.redis.command("CONFIG SET maxmemory 0");
    world.expect_shared_soon();
}
