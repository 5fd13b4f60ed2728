//! `METRICS_ADDR`: the metrics page counts exactly what happened and contains nothing that a client chose.

use crate::harness::calls::agent;
use crate::prelude::*;
use portcullis_testkit::smtp::{Fault, Server, Step, TlsMode};
use std::net::TcpListener;
use std::time::UNIX_EPOCH;

on_both_databases!(the_page_counts_exactly_what_happened);

fn service(backend: Backend) -> (Service, Metrics) {
    let service = backend.service().unset("RATE_LIMIT_ENABLED").set("METRICS_ADDR", "127.0.0.1:0").start();
    let metrics = Metrics::of(&service);
    (service, metrics)
}

fn expected(counts: &[(&str, u32)]) -> Vec<(String, u32)> {
    let mut counts: Vec<_> = counts.iter().map(|(labels, count)| ((*labels).to_owned(), *count)).collect();
    counts.sort();
    counts
}

/// Generates known traffic, one call after another.
fn traffic(service: &Service) {
    let (account, pair) = service.session();
    let call = |method: &str, path: &str| service.call(method, path).send();
    service.login(&account.email, "wrong password").expect(401);
    service.login("nobody@example.com", "wrong password").expect(401);
    service.login("no address", "wrong password").expect(422);
    service.refresh(&pair.refresh).expect(200);
    service.refresh(&pair.refresh).revoked();
    service.refresh(&jose::token(&json!({"sub": "1"}))).expect(401);
    service.me(&pair.access).expect(200);
    let statuses: Vec<_> = [
        call("GET", "/nowhere"),
        call("GET", "/auth/sessions/7f/what"),
        call("PUT", "/auth/login"),
        call("PROPFIND", "/health"),
        call("HEAD", "/health"),
        call("GET", "/docs/assets/none.js"),
        service.call("DELETE", "/auth/sessions/7f").bearer(&pair.access).send(),
        service.call("POST", "/auth/register").json(&json!({})).send(),
    ]
    .iter()
    .map(|reply: &Reply| reply.status)
    .collect();
    assert_eq!(statuses, [404, 404, 405, 405, 200, 404, 404, 422]);
}

fn the_page_counts_exactly_what_happened(backend: Backend) {
    let (service, metrics) = service(backend);
    traffic(&service);
    service.wait_until_all_mail_is_sent();
    let page = metrics.page();
    let requests = expected(&[
        ("{method=\"POST\",route=\"/auth/register\",status=\"201\"}", 1),
        ("{method=\"POST\",route=\"/auth/register\",status=\"422\"}", 1),
        ("{method=\"POST\",route=\"/auth/login\",status=\"200\"}", 1),
        ("{method=\"POST\",route=\"/auth/login\",status=\"401\"}", 2),
        ("{method=\"POST\",route=\"/auth/login\",status=\"422\"}", 1),
        ("{method=\"PUT\",route=\"/auth/login\",status=\"405\"}", 1),
        ("{method=\"POST\",route=\"/auth/refresh\",status=\"200\"}", 1),
        ("{method=\"POST\",route=\"/auth/refresh\",status=\"401\"}", 2),
        ("{method=\"GET\",route=\"/auth/me\",status=\"200\"}", 1),
        ("{method=\"DELETE\",route=\"/auth/sessions/{id}\",status=\"404\"}", 1),
        ("{method=\"other\",route=\"/health\",status=\"405\"}", 1),
        ("{method=\"HEAD\",route=\"/health\",status=\"200\"}", 1),
        ("{method=\"GET\",route=\"/docs/assets/{name}\",status=\"404\"}", 1),
        ("{method=\"GET\",route=\"unmatched\",status=\"404\"}", 2),
    ]);
    assert_eq!(metrics.counts("portcullis_http_requests_total"), requests);
    let times = page.sum("portcullis_http_request_duration_seconds_count");
    assert_eq!(times, f64::from(requests.iter().map(|(_, count)| count).sum::<u32>()));
    expect_outcomes(&metrics);
    let hashes = [("hash", 1.0), ("verify", 2.0), ("stand_in", 1.0)];
    for (operation, count) in hashes {
        let series = format!("portcullis_password_hash_duration_seconds_count{{operation=\"{operation}\"}}");
        assert_eq!(page.value(&series), Some(count), "{operation}");
    }
    let charges = expected(&[
        ("{budget=\"account\",outcome=\"passed\"}", 3),
        ("{budget=\"account\",outcome=\"refunded\"}", 1),
        ("{budget=\"account_day\",outcome=\"passed\"}", 3),
        ("{budget=\"account_day\",outcome=\"refunded\"}", 1),
        // Failures also draw on the account's budget for their source.
        ("{budget=\"account_source\",outcome=\"passed\"}", 2),
        // The verification email.
        ("{budget=\"mail\",outcome=\"passed\"}", 1),
        ("{budget=\"refresh\",outcome=\"passed\"}", 2),
        ("{budget=\"source\",outcome=\"passed\"}", 4),
    ]);
    assert_eq!(metrics.counts("portcullis_limiter_charges_total"), charges);
    for (lane, count) in [("crypto", 4.0), ("exchanges", 2.0)] {
        assert_eq!(
            page.value(&format!("portcullis_lane_wait_seconds_count{{lane=\"{lane}\"}}")),
            Some(count),
            "{lane}"
        );
        assert_eq!(page.value(&format!("portcullis_lane_running{{lane=\"{lane}\"}}")), Some(0.0), "{lane}");
    }
    let still = ["lane_refusals_total", "lane_waiting", "store_errors_total", "password_hash_errors_total"];
    for metric in still.into_iter().chain(["password_hash_queue", "log_lines_dropped_total", "limiter_errors_total"]) {
        assert_eq!(metrics.counts(&format!("portcullis_{metric}")), [], "{metric}");
    }
    let rotations = "portcullis_store_duration_seconds_count{operation=\"rotate\"}";
    let connections = if backend == Backend::Sqlite { 4.0 } else { 16.0 };
    assert_eq!((page.value(rotations), page.value("portcullis_store_connections_max")), (Some(2.0), Some(connections)));
    let closed = |circuit| (format!("{{circuit=\"{circuit}\",state=\"closed\"}}"), 1);
    assert_eq!(metrics.counts("portcullis_circuit_state"), ["database", "database_writes", "mail"].map(closed));
    let version = format!("portcullis_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(page.value(&version), Some(1.0));
}

fn expect_outcomes(metrics: &Metrics) {
    let verdicts = expected(&[("{verdict=\"rotated\"}", 1), ("{verdict=\"raced\"}", 1)]);
    assert_eq!(metrics.counts("portcullis_refresh_verdicts_total"), verdicts);
    let logins = expected(&[("{outcome=\"succeeded\"}", 1), ("{outcome=\"invalid_credentials\"}", 2)]);
    assert_eq!(metrics.counts("portcullis_logins_total"), logins);
    let mails = ["sent", "started"].map(|event| (format!("{{event=\"{event}\",occasion=\"verify_email\"}}"), 1));
    assert_eq!(metrics.counts("portcullis_mails_total"), mails);
}

#[test]
fn attempts_at_second_factors_are_counted_by_outcome() {
    let (service, metrics) = service(Backend::Sqlite);
    let enrolled = service.enrolled();
    service.login_with(&enrolled.account, &enrolled.codes[0]).expect(200);
    for _ in 0..5 {
        service.login_with(&enrolled.account, &enrolled.app.wrong()).expect(401);
    }
    service.login_with(&enrolled.account, &enrolled.codes[1]).expect(429);
    let counts = expected(&[("{outcome=\"right\"}", 2), ("{outcome=\"wrong\"}", 5), ("{outcome=\"limited\"}", 1)]);
    assert_eq!(metrics.counts("portcullis_second_factors_total"), counts);
    let logins = metrics.counts("portcullis_logins_total");
    assert!(logins.contains(&("{outcome=\"rate_limited\"}".to_owned(), 1)), "{logins:?}");
    assert!(logins.contains(&("{outcome=\"invalid_credentials\"}".to_owned(), 5)), "{logins:?}");
}

#[test]
fn waiting_emails_are_counted_by_occasion() {
    let server = Server::start(TlsMode::StartTls);
    server.fail(Step::Recipient, Fault::Reply("450 4.2.1 later"));
    let service = Backend::Sqlite.service().mailing(&server).set("METRICS_ADDR", "127.0.0.1:0").start();
    let metrics = Metrics::of(&service);
    service.account();
    let waiting = expected(&[("{occasion=\"verify_email\"}", 1)]);
    eventually("the page counts it", || (metrics.counts("portcullis_mails_queued") == waiting).then_some(()));
    let events = ["postponed", "started"].map(|event| (format!("{{event=\"{event}\",occasion=\"verify_email\"}}"), 1));
    assert_eq!(metrics.counts("portcullis_mails_total"), events);
}

#[test]
fn the_process_is_measured_as_the_kernel_does() {
    let (service, metrics) = service(Backend::Sqlite);
    service.session();
    let page = metrics.page();
    let value = |name: &str| page.value(&format!("process_{name}")).unwrap();
    let proc = format!("/proc/{}", service.process_id());
    let stat = std::fs::read_to_string(format!("{proc}/stat")).unwrap();
    let ticks: Vec<f64> = stat.split(' ').skip(13).take(2).map(|ticks| ticks.parse().unwrap()).collect();
    assert!((value("cpu_seconds_total") - (ticks[0] + ticks[1]) / 100.0).abs() < 1.0, "{stat}");
    let status = std::fs::read_to_string(format!("{proc}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident: f64 = resident.split_whitespace().next().unwrap().parse().unwrap();
    assert!((value("resident_memory_bytes") / (resident * 1024.0) - 1.0).abs() < 0.2, "{resident} KiB");
    let open = std::fs::read_dir(format!("{proc}/fd")).unwrap().count() as f64;
    assert!((value("open_fds") - open).abs() < 8.0, "{open} descriptors");
    let limits = std::fs::read_to_string(format!("{proc}/limits")).unwrap();
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    assert_eq!(limit.split_whitespace().next(), Some(value("max_fds").to_string().as_str()));
    let started = std::fs::metadata(&proc).unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
    assert!((value("start_time_seconds") - started.as_secs_f64()).abs() < 10.0);
}

#[test]
fn database_connections_is_the_size_of_the_pool() {
    let setup = Backend::Postgres.service().set("DATABASE_CONNECTIONS", "3").set("METRICS_ADDR", "127.0.0.1:0");
    let service = setup.start();
    service.session();
    assert_eq!(Metrics::of(&service).page().value("portcullis_store_connections_max"), Some(3.0));
}

#[test]
fn a_flood_of_names_makes_no_series() {
    let (service, metrics) = service(Backend::Sqlite);
    service.get("/marker");
    service.call("MARKER", "/auth/sessions/marker").send();
    service.get("/docs/assets/marker");
    let before = metrics.page().iter().count();
    for number in 0..50 {
        service.get(&format!("/marker-{number}?marker={number}"));
        service.call(&format!("MARKER{number}"), &format!("/auth/sessions/marker-{number}")).send();
        service.get(&format!("/docs/assets/marker-{number}.js"));
        let login = json!({"email": format!("marker-{number}@example.com"), "password": "marker marker"});
        let call = service.call("POST", "/auth/login").header("X-Request-ID", &format!("marker-{number}"));
        call.header("User-Agent", "marker").json(&login).send().expect(401);
    }
    let page = metrics.page();
    let (logins, hashes) = ("portcullis_http_requests_total{method=\"POST\",route=\"/auth/login\",status=\"401\"}", 1);
    assert_eq!(page.value(logins), Some(50.0));
    assert_eq!(page.iter().count(), before + hashes, "the logins have a series, and nothing else is new");
    assert!(!metrics.text().contains("arker"));
}

#[test]
fn metrics_port_serves_only_metrics_and_public_port_none() {
    let (service, metrics) = service(Backend::Sqlite);
    service.get("/metrics").expect_error(404, "NOT_FOUND");
    for path in ["/", "/health", "/auth/login", "/metrics/x"] {
        let response = agent(0).get(format!("{}{path}", metrics.url)).call().unwrap();
        assert_eq!(response.status(), 404, "{path}");
    }
    assert_eq!(agent(0).post(format!("{}/metrics", metrics.url)).send_empty().unwrap().status(), 405);
    let off = Backend::Sqlite.service().start();
    off.get("/metrics").expect_error(404, "NOT_FOUND");
    off.stop();
    assert!(!off.log.text().contains("Metrics are served"));
}

#[test]
fn an_address_that_is_taken_stops_the_start() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let ended = Backend::Sqlite.service().set("METRICS_ADDR", &taken.to_string()).run();
    assert!(ended.refusal().contains(&format!("cannot listen on METRICS_ADDR {taken}")), "{}", ended.refusal());
    assert!(!ended.output.contains("\"Listening\""), "{}", ended.output);
    let ended = Backend::Sqlite.service().set("METRICS_ADDR", "9464").run();
    assert!(ended.refusal().contains("METRICS_ADDR: is not an IP address with a port"), "{}", ended.refusal());
}

#[test]
fn the_page_goes_on_while_the_database_is_gone() {
    let setup = Backend::Sqlite.service().set("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere");
    let service = setup.set("METRICS_ADDR", "127.0.0.1:0").start();
    let metrics = Metrics::of(&service);
    while metrics.page().value("portcullis_circuit_state{circuit=\"database\",state=\"open\"}") != Some(1.0) {
        service.register("a@example.com", "long enough").expect_unavailable();
    }
    let page = metrics.page();
    assert_eq!(page.value("portcullis_circuit_state{circuit=\"database\",state=\"closed\"}"), Some(0.0));
    let failed = page.value("portcullis_store_errors_total{reason=\"unavailable\"}");
    assert!(failed.is_some_and(|count| count >= 5.0), "{failed:?}");
}
