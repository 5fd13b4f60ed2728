//! The page as Prometheus reads it: it breaks no rule of the format, and shows exactly what was
//! counted.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use chrono::DateTime;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::Password;
use portcullis_domain::tokens::Verdict;
use portcullis_ports::{
    CancellationToken, Clock, PasswordHasher, RefreshObserver, SecondFactorObserver, SecondFactorOutcome, Store,
    StoreError, TxMode, TxOutcome,
};
use portcullis_telemetry::{
    HasherMetrics, HttpMetrics, LaneMetrics, LimiterMetrics, LoginMetrics, MailMetrics, Metered, MetricsRegistry,
    ProcessUsage, SecondFactorMetrics, SignInMetrics, StoreMetrics, VerdictMetrics,
};
use portcullis_testkit::prometheus::Page;
use portcullis_testkit::{FixedClock, MemoryStore, PlainHasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn telemetry() -> MetricsRegistry {
    MetricsRegistry::new("1.0.0").unwrap()
}

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::at(DateTime::UNIX_EPOCH))
}

#[track_caller]
fn shows(telemetry: &MetricsRegistry, series: &str, value: f64) {
    let page = Page::read(&telemetry.render()).unwrap();
    assert_eq!(page.value(&format!("portcullis_{series}")), Some(value), "{series}");
}

#[test]
fn all_metrics_together_are_a_page_without_a_fault() {
    let telemetry = telemetry();
    let _traffic = HttpMetrics::new(&telemetry, &["/a/{id}", "unmatched"], &["GET", "other"]).unwrap();
    let _lanes = LaneMetrics::register(&telemetry, ["store"]).unwrap();
    let _hasher = HasherMetrics::register(&telemetry).unwrap();
    let _store = StoreMetrics::register(&telemetry).unwrap();
    let _limiter = LimiterMetrics::register(&telemetry).unwrap();
    let _verdicts = VerdictMetrics::register(&telemetry).unwrap();
    let _second_factors = SecondFactorMetrics::register(&telemetry).unwrap();
    let _logins = LoginMetrics::register(&telemetry).unwrap();
    let _mails = MailMetrics::register(&telemetry).unwrap();
    let _sign_ins = SignInMetrics::register(&telemetry).unwrap();
    telemetry.process(DateTime::UNIX_EPOCH, || None).unwrap();
    Page::read(&telemetry.render()).unwrap();
    assert!(StoreMetrics::register(&telemetry).is_err(), "a name is taken once");
}

#[test]
fn requests_are_counted_by_route_method_and_status() {
    let telemetry = telemetry();
    let traffic = HttpMetrics::new(&telemetry, &["/a", "/b", "unmatched"], &["GET", "other"]).unwrap();
    for (route, method, status) in [(0, 0, 200), (0, 0, 200), (0, 1, 405), (2, 0, 405), (2, 1, 777), (9, 9, 200)] {
        traffic.record(route, method, status, Duration::from_millis(3));
    }
    shows(&telemetry, "http_requests_total{method=\"GET\",route=\"/a\",status=\"200\"}", 2.0);
    shows(&telemetry, "http_requests_total{method=\"other\",route=\"/a\",status=\"405\"}", 1.0);
    shows(&telemetry, "http_requests_total{method=\"GET\",route=\"unmatched\",status=\"405\"}", 1.0);
    shows(&telemetry, "http_requests_total{method=\"other\",route=\"unmatched\",status=\"other\"}", 1.0);
    shows(&telemetry, "http_request_duration_seconds_count{route=\"/a\"}", 3.0);
    shows(&telemetry, "http_request_duration_seconds_bucket{route=\"/a\",le=\"0.0025\"}", 0.0);
    shows(&telemetry, "http_request_duration_seconds_bucket{route=\"/a\",le=\"0.005\"}", 3.0);
    assert_eq!(Page::read(&telemetry.render()).unwrap().sum("portcullis_http_requests_total"), 5.0);
}

#[test]
fn a_store_is_timed_and_its_failures_are_told_apart() {
    let (telemetry, clock, inner) = (telemetry(), clock(), Arc::new(MemoryStore::new()));
    let store = Metered::new(inner.clone(), StoreMetrics::register(&telemetry).unwrap(), clock.clone());
    let slow = &mut |_: &mut dyn portcullis_ports::Tx| {
        clock.advance(Duration::from_millis(40));
        Ok(TxOutcome::Commit)
    };
    store.transact(TxMode::Write, slow).unwrap();
    store.transact(TxMode::Read, &mut |_| Ok(TxOutcome::Commit)).unwrap();
    store.rotate(&[]).unwrap();
    inner.set_outage(Some(StoreError::Unavailable("gone".to_owned())));
    store.transact(TxMode::Read, &mut |_| Ok(TxOutcome::Commit)).unwrap_err();
    shows(&telemetry, "store_duration_seconds_sum{operation=\"write\"}", 0.04);
    shows(&telemetry, "store_duration_seconds_count{operation=\"read\"}", 2.0);
    shows(&telemetry, "store_duration_seconds_count{operation=\"rotate\"}", 1.0);
    shows(&telemetry, "store_errors_total{reason=\"unavailable\"}", 1.0);
    shows(&telemetry, "store_errors_total{reason=\"busy\"}", 0.0);
}

#[test]
fn hashes_are_timed_and_refusals_counted() {
    let (telemetry, inner) = (telemetry(), Arc::new(PlainHasher::default()));
    let hasher = Metered::new(inner.clone(), HasherMetrics::register(&telemetry).unwrap(), clock());
    let (password, cancellation) = (Password::new("long enough"), CancellationToken::never());
    let hash = hasher.hash(&password, &cancellation).unwrap();
    hasher.verify(&password, &hash, &cancellation).unwrap();
    hasher.dummy_verify(&password, "ada@example.org", &cancellation).unwrap();
    inner.busy.store(true, Ordering::SeqCst);
    hasher.verify(&password, &hash, &cancellation).unwrap_err();
    shows(&telemetry, "password_hash_duration_seconds_count{operation=\"hash\"}", 1.0);
    shows(&telemetry, "password_hash_duration_seconds_count{operation=\"verify\"}", 2.0);
    shows(&telemetry, "password_hash_duration_seconds_count{operation=\"stand_in\"}", 1.0);
    shows(&telemetry, "password_hash_errors_total{reason=\"busy\"}", 1.0);
}

#[test]
fn every_verdict_has_a_counter_of_its_own() {
    let telemetry = telemetry();
    let verdicts = VerdictMetrics::register(&telemetry).unwrap();
    for verdict in [Verdict::Rotated, Verdict::Rotated, Verdict::Theft, Verdict::Raced, Verdict::Expired] {
        verdicts.on_verdict(verdict);
    }
    let counts =
        [("rotated", 2.0), ("retried", 0.0), ("overlapped", 0.0), ("raced", 1.0), ("theft", 1.0), ("expired", 1.0)];
    for (name, count) in counts {
        shows(&telemetry, &format!("refresh_verdicts_total{{verdict=\"{name}\"}}"), count);
    }
}

#[test]
fn attempts_at_second_factors_are_counted_by_outcome() {
    use SecondFactorOutcome::{Limited, Right, Wrong};
    let telemetry = telemetry();
    let attempts = SecondFactorMetrics::register(&telemetry).unwrap();
    [Wrong, Wrong, Wrong, Right, Right, Limited].into_iter().for_each(|outcome| attempts.on_attempt(outcome));
    for (name, count) in [("right", 2.0), ("wrong", 3.0), ("limited", 1.0)] {
        shows(&telemetry, &format!("second_factors_total{{outcome=\"{name}\"}}"), count);
    }
}

#[test]
fn logins_are_counted_by_outcome() {
    let telemetry = telemetry();
    let logins = LoginMetrics::register(&telemetry).unwrap();
    let outcomes = ErrorCode::ALL.map(Err).into_iter().chain([Ok(()), Ok(())]);
    outcomes.for_each(|outcome| logins.record(outcome));
    let own = ["invalid_credentials", "email_unverified", "second_factor_required", "enrolment_required"];
    for name in own.into_iter().chain(["rate_limited", "unavailable"]) {
        shows(&telemetry, &format!("logins_total{{outcome=\"{name}\"}}"), 1.0);
    }
    shows(&telemetry, "logins_total{outcome=\"succeeded\"}", 2.0);
    shows(&telemetry, "logins_total{outcome=\"failed\"}", 12.0);
}

#[test]
fn process_metrics_have_standard_names_and_never_go_back() {
    let (telemetry, usage) = (telemetry(), Arc::new(Mutex::new(None)));
    let read = usage.clone();
    let start = DateTime::from_timestamp(1_700_000_000, 250_000_000).unwrap();
    telemetry.process(start, move || *read.lock().unwrap()).unwrap();
    let page = |cpu_seconds, resident_bytes| {
        *usage.lock().unwrap() = Some(ProcessUsage { cpu_seconds, resident_bytes, open_fds: 9.0, max_fds: 64.0 });
        Page::read(&telemetry.render()).unwrap()
    };
    let first = page(1.5, 8192.0);
    assert_eq!(first.value("process_cpu_seconds_total"), Some(1.5));
    assert_eq!(first.value("process_start_time_seconds"), Some(1_700_000_000.25));
    assert_eq!((first.value("process_open_fds"), first.value("process_max_fds")), (Some(9.0), Some(64.0)));
    let second = page(1.25, 4096.0);
    assert_eq!(second.value("process_cpu_seconds_total"), Some(1.5), "a counter");
    assert_eq!(second.value("process_resident_memory_bytes"), Some(4096.0), "a gauge");
}

#[test]
fn what_others_keep_is_read_when_the_page_is_asked_for() {
    let (telemetry, kept) = (telemetry(), Arc::new(AtomicU64::new(3)));
    let (one, other) = (kept.clone(), kept.clone());
    telemetry.counter_fn("things_total", "Things.", move || one.load(Ordering::SeqCst)).unwrap();
    telemetry
        .gauge_fn("size", "How many.", &[("of", "a")], move || if other.load(Ordering::SeqCst) > 3 { 1.0 } else { 0.0 })
        .unwrap();
    telemetry.gauge_fn("size", "How many.", &[("of", "b")], || 7.0).unwrap();
    shows(&telemetry, "things_total", 3.0);
    shows(&telemetry, "things_total", 3.0);
    shows(&telemetry, "size{of=\"a\"}", 0.0);
    kept.store(5, Ordering::SeqCst);
    shows(&telemetry, "things_total", 5.0);
    shows(&telemetry, "size{of=\"a\"}", 1.0);
    shows(&telemetry, "size{of=\"b\"}", 7.0);
    assert_eq!(clock().monotonic(), Duration::ZERO);
}
