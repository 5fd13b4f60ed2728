//! The alert rules and their test: `promtool` runs the test (`cargo xtask check alerts`), and the series in it are
//! those that the service exports.

use crate::prelude::*;
use portcullis_testkit::redis;
use std::collections::BTreeSet;

const RULES: &str = include_str!("../../../../../docs/alerts.yml");
const TESTS: &str = include_str!("../../../../../docs/alerts.test.yml");

/// Metric of a series, and the names of its labels.
type Shape = (String, BTreeSet<String>);

fn shape(series: &str) -> Shape {
    let (metric, labels) = series.split_once('{').unwrap_or((series, ""));
    let names = labels.split("\",").filter_map(|label| Some(label.trim_end_matches(['"', '}']).split_once('=')?.0));
    (metric.to_owned(), names.map(str::to_owned).collect())
}

#[test]
fn alerts_are_tested_with_the_series_that_the_service_exports() {
    let redis = redis::Server::start();
    let service = Backend::Postgres.service().unset("RATE_LIMIT_ENABLED").set("REDIS_URL", &redis.url());
    let service = service.set("METRICS_ADDR", "127.0.0.1:0");
    // Traces are on, to a collector that is not there.
    let service = service.set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9").start();
    let metrics = Metrics::of(&service);
    let (_, pair) = service.session();
    service.refresh(&pair.refresh).expect(200);
    let exported: BTreeSet<_> = metrics.page().iter().map(|(series, _)| shape(series)).collect();
    let tested: BTreeSet<_> =
        TESTS.split("series: '").skip(1).map(|rest| shape(rest.split('\'').next().unwrap())).collect();
    let own: BTreeSet<_> = tested.iter().filter(|(metric, _)| metric.starts_with("portcullis_")).cloned().collect();
    assert_eq!(own.difference(&exported).collect::<Vec<_>>(), Vec::<&Shape>::new());
    for alert in RULES.split("- alert: ").skip(1) {
        let (name, rule) = alert.split_once('\n').unwrap();
        let rule = rule.split("labels:").next().unwrap();
        assert!(TESTS.contains(&format!("alertname=\"{name}\"")), "{name} has no test");
        let metrics =
            rule.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| word.starts_with("portcullis_"));
        for metric in metrics {
            assert!(tested.iter().any(|(tested, _)| tested == metric), "{name}: {metric}");
        }
    }
}
