//! The limiter and the shared circuits on a real server: the conformance suite, and calls while the
//! server is down, frozen or empty.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a failed step fails the test; a server's clock is waited for"
)]

use portcullis_domain::limits::{Budget, Gcra, LimitKey, Rule, SlidingWindow};
use portcullis_ports::{Charge, RateLimiter, ReserveOutcome, SharedCircuits};
use portcullis_redis::{RedisCircuits, RedisInfo, RedisLimiter, RedisPool, RedisUrl};
use portcullis_testkit::RunningClock;
use portcullis_testkit::conformance::limits::Limiter;
use portcullis_testkit::redis::Server;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const TWO: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

fn open(url: &RedisUrl) -> RedisPool {
    RedisPool::connect(url, Arc::new(RunningClock::start())).unwrap()
}

fn connect(server: &Server) -> RedisPool {
    open(&RedisUrl::parse(&server.url()).unwrap())
}

portcullis_testkit::limiter_conformance!(|run: &dyn Fn(Limiter<'_>)| {
    // The suite checks counts, not latency: a busy machine may be slow.
    let limiter = RedisLimiter::new(connect(Server::shared()).with_call_timeout(Duration::from_secs(10)));
    run(Limiter { limiter: &limiter, wait: &thread::sleep });
});

fn charge(number: u8) -> Charge {
    let tries = SlidingWindow::new(NonZeroU32::MIN, Duration::from_hours(1)).with_backoff(Duration::from_mins(1));
    Charge::new(Budget::Account, LimitKey::from_digest(&[number; 32]), Rule::SlidingWindow(tries))
}

fn passes(limiter: &RedisLimiter, number: u8) -> Option<bool> {
    let reserved = limiter.reserve(&[charge(number)]).ok()?;
    Some(matches!(reserved, ReserveOutcome::Passed(_)))
}

fn eventually(what: &str, condition: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
    start.elapsed()
}

#[test]
fn two_limiters_on_one_server_share_a_budget() {
    let (one, two) = (connect(Server::shared()), connect(Server::shared()));
    let (one, two) = (RedisLimiter::new(one), RedisLimiter::new(two));
    assert_eq!((passes(&one, 201), passes(&two, 201)), (Some(true), Some(false)));
}

#[test]
fn keys_vanish_when_they_are_of_no_more_use() {
    let server = Server::start();
    let limiter = RedisLimiter::new(connect(&server));
    assert_eq!(passes(&limiter, 1), Some(true));
    let key = format!("portcullis:{{limits}}:account:2:{}", charge(1).key);
    let ttl: i64 = server.command(&format!("PTTL {key}")).trim_start_matches(':').parse().unwrap();
    // The first wait plus the period.
    assert!((3_600_000..=3_661_000).contains(&ttl), "{ttl}");
}

#[test]
fn what_is_given_back_takes_no_room() {
    let server = Server::start();
    let limiter = RedisLimiter::new(connect(&server).with_call_timeout(Duration::from_secs(10)));
    let hour = Duration::from_hours(1);
    let source =
        Charge { budget: Budget::Source, rule: Rule::Gcra(Gcra::new(NonZeroU32::MIN, hour, TWO)), ..charge(1) };
    let call = || match limiter.reserve(&[charge(2), source]).unwrap() {
        ReserveOutcome::Passed(call) => call,
        refused @ ReserveOutcome::Refused(_) => panic!("{refused:?}"),
    };
    limiter.refund(&call()).unwrap();
    assert_eq!(server.command("DBSIZE"), ":0");
    let _kept = call();
    assert_eq!(server.command("DBSIZE"), ":2");
}

#[test]
fn a_server_that_was_emptied_goes_on() {
    let server = Server::start();
    let limiter = RedisLimiter::new(connect(&server));
    assert_eq!((passes(&limiter, 1), passes(&limiter, 1)), (Some(true), Some(false)));
    server.command("FLUSHALL");
    server.command("SCRIPT FLUSH");
    assert_eq!((passes(&limiter, 1), passes(&limiter, 1)), (Some(true), Some(false)));
}

#[test]
fn a_frozen_server_costs_a_moment_and_is_found_again() {
    let server = Server::start();
    let limiter = RedisLimiter::new(connect(&server));
    assert_eq!(passes(&limiter, 1), Some(true));
    server.pause();
    let (start, calls) = (Instant::now(), 20);
    for _ in 0..calls {
        assert_eq!(passes(&limiter, 2), None);
    }
    // Calls that get a connection wait 40 ms. The others find none and fail at once.
    assert!(start.elapsed() < Duration::from_millis(600), "{:?}", start.elapsed());
    server.resume();
    let found = eventually("it is found again", || passes(&limiter, 3).is_some());
    assert!(found < Duration::from_secs(4), "{found:?}");
}

#[test]
fn a_killed_server_is_missed_at_once_and_found_again() {
    let server = Server::start();
    let limiter = RedisLimiter::new(connect(&server));
    server.kill();
    assert_eq!(passes(&limiter, 1), None);
    server.restart();
    eventually("it is found again", || passes(&limiter, 1).is_some());
}

#[test]
fn a_server_that_is_not_there_at_the_start_is_found_later() {
    let server = Server::start();
    server.kill();
    let limiter = RedisLimiter::new(connect(&server));
    assert_eq!(passes(&limiter, 1), None);
    server.restart();
    eventually("it is found", || passes(&limiter, 1).is_some());
}

#[test]
fn a_server_that_takes_no_writes_is_lost_until_it_takes_them() {
    let server = Server::start();
    let gate = "ACL SETUSER gate reset on >pw ~portcullis:* +@all";
    assert_eq!(server.command(gate), "+OK");
    let url = RedisUrl::parse(&server.url().replace("redis://", "redis://gate:pw@")).unwrap();
    for (number, (lose, mend, code)) in (1..).zip([
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "READONLY"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "NOREPLICAS"),
        ("ACL SETUSER gate -set", gate, "NOPERM"),
    ]) {
        let redis = open(&url);
        let limiter = RedisLimiter::new(redis.clone());
        assert_eq!(limiter.check(), Ok(()));
        assert_eq!(server.command(lose), "+OK");
        assert!(limiter.check().is_err(), "{code}");
        // A read, which the server would still answer.
        assert!(limiter.remaining(&charge(number)).is_err(), "{code}: the connections are dropped");
        assert!(redis.last_fault().unwrap().contains(&format!("({code})")), "{:?}", redis.last_fault());
        assert!(redis.failures() >= 2);
        assert_eq!(server.command(mend), "+OK");
        eventually("it is found again", || passes(&limiter, number).is_some());
    }
    assert_eq!(server.command("EXISTS portcullis:trial"), ":0");
}

#[test]
fn replicas_tell_each_other_of_their_circuits() {
    let board = |number| RedisCircuits::new(connect(Server::shared()), [number; 16]);
    let (one, two, name) = (board(1), board(2), "told");
    assert_eq!(two.latest(name).unwrap(), None);
    let number = one.publish_open(name, Duration::from_secs(30)).unwrap();
    let news = two.latest(name).unwrap().unwrap();
    assert_eq!(news.version, number);
    let open_for = news.open_for.unwrap();
    assert!(open_for <= Duration::from_secs(30) && open_for > Duration::from_secs(20), "{open_for:?}");
    let closed = two.publish_closed(name).unwrap();
    let news = one.latest(name).unwrap().unwrap();
    assert_eq!((news.version, news.open_for), (closed, None));
    assert_ne!(number, closed);
    assert_eq!(one.latest("another").unwrap(), None);
}

#[test]
fn of_many_replicas_one_gets_the_probe_until_it_tells() {
    let boards: Vec<_> = (1..=5).map(|number| RedisCircuits::new(connect(Server::shared()), [number; 16])).collect();
    let lease = Duration::from_secs(30);
    let claims: Vec<_> = thread::scope(|scope| {
        let claims: Vec<_> = boards.iter().map(|board| scope.spawn(|| board.claim_probe("probed", lease))).collect();
        claims.into_iter().map(|claim| claim.join().unwrap().unwrap()).collect()
    });
    let got: Vec<_> = (0..5).filter(|place| claims[*place].is_none()).collect();
    assert_eq!(got.len(), 1, "{claims:?}");
    let (holder, other) = (&boards[got[0]], &boards[(got[0] + 1) % 5]);
    assert_eq!(holder.claim_probe("probed", lease), Ok(None), "it has it still");
    assert!(other.claim_probe("probed", lease).unwrap().is_some_and(|wait| wait <= lease));
    other.publish_open("probed", lease).unwrap();
    assert!(other.claim_probe("probed", lease).unwrap().is_some(), "what others tell frees nothing");
    holder.publish_closed("probed").unwrap();
    assert_eq!(other.claim_probe("probed", lease), Ok(None));
    let short = Duration::from_millis(50);
    assert_eq!(boards[0].claim_probe("short", short), Ok(None));
    eventually("a claim ends by itself", || boards[1].claim_probe("short", short) == Ok(None));
}

/// Rights that limits.md lists for operators to grant.
const RIGHTS: &str = "resetchannels ~portcullis:* -@all +ping +select +time +get +set +del +pttl +eval +evalsha +info";

#[test]
fn the_documented_rights_are_enough_and_a_missing_one_is_named() {
    let page = include_str!("../../../../docs/features/limits.md");
    assert!(page.contains(&format!("ACL SETUSER portcullis on >password {RIGHTS}\n")), "other rights are documented");
    let server = Server::start();
    let record = |rights: &str| assert_eq!(server.command(&format!("ACL SETUSER gate reset on >pw {rights}")), "+OK");
    let url = RedisUrl::parse(&server.url().replace("redis://", "redis://gate:pw@")).unwrap();
    let connected = || open(&url).with_call_timeout(Duration::from_secs(10));
    record(RIGHTS);
    let redis = connected();
    assert_eq!(passes(&RedisLimiter::new(redis.clone()), 1), Some(true));
    let board = RedisCircuits::new(redis.clone(), [7; 16]);
    let minute = Duration::from_mins(1);
    board.publish_open("database", minute).unwrap();
    board.claim_probe("database", minute).unwrap();
    board.latest("database").unwrap();
    board.publish_closed("database").unwrap();
    assert_eq!(redis.last_fault(), None);
    assert_eq!(RedisInfo::of(&url).unwrap().refusal, None);
    for command in ["evalsha", "eval", "set", "get", "time"] {
        server.command("SCRIPT FLUSH");
        record(&format!("{RIGHTS} -{command}"));
        let told = if command == "time" {
            RedisInfo::of(&url).unwrap_err()
        } else {
            let refusal = RedisInfo::of(&url).unwrap().refusal.unwrap();
            let redis = connected();
            assert_eq!(passes(&RedisLimiter::new(redis.clone()), 2), None, "{command}");
            assert!(redis.last_fault().unwrap().contains("(NOPERM)"), "{command}");
            refusal.reason
        };
        assert_eq!(told, format!("the user of REDIS_URL may not run {command} (NOPERM)"));
    }
    record(&RIGHTS.replace("~portcullis:*", "~other:*"));
    let told = RedisInfo::of(&url).unwrap().refusal.unwrap();
    assert_eq!(told.reason, "the user of REDIS_URL may not access keys that begin with portcullis: (NOPERM)");
    assert!(told.is_of_user);
}

#[test]
fn a_server_without_a_handshake_does_not_delay_the_start_for_long() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    for url in [format!("rediss://127.0.0.1:{port}"), format!("redis-sentinel://127.0.0.1:{port}/gate")] {
        let start = Instant::now();
        let pool = open(&RedisUrl::parse(&url).unwrap());
        assert!(start.elapsed() < Duration::from_secs(10), "{url}: {:?}", start.elapsed());
        assert_eq!(pool.last_fault().as_deref(), Some("timed out"), "{url}");
    }
}
