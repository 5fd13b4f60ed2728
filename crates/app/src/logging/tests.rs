//! Tests of logging as a whole: line format, level filter, and a reader that is slow, stuck or closed.

use super::*;
use crate::settings::Level;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use tracing::dispatcher::{self, Dispatch};
use tracing::field::Empty;
use tracing::subscriber::with_default;

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_771_410_600, 42_999).unwrap()
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        let text = self.text();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }
}

/// JSON, without traces.
fn watched(level: Level) -> (LogFilter, Style) {
    (LogFilter { level, traced: false }, Style::Json)
}

/// Returns what `log` writes.
fn output(level: Level, style: Style, log: impl FnOnce()) -> Shared {
    let out = Shared::default();
    let (subscriber, guard) = start(out.clone(), (watched(level).0, style), Arc::new(FixedClock), CAPACITY).unwrap();
    with_default(subscriber, log);
    drop(guard);
    out
}

/// Returns the JSON lines that `log` causes.
fn logged(level: Level, log: impl FnOnce()) -> Vec<Value> {
    output(level, Style::Json, log).lines()
}

#[test]
fn line_has_the_contract_members_and_its_own_event_fields() {
    let lines = logged(Level::Info, || {
        tracing::warn!(target: "app.access", status_code = 404_u16, duration_ms = 1.5, ok = false, path = %"/x", n = -3, "Request {}", "finished");
    });
    assert_eq!(
        lines,
        [json!({
            "timestamp": "2026-02-18T10:30:00.000042+00:00", "level": "WARNING", "name": "app.access",
            "message": "Request finished", "status_code": 404, "duration_ms": 1.5, "ok": false, "path": "/x", "n": -3
        })]
    );
}

#[test]
fn the_head_of_a_line_has_the_order_of_the_fastapi_application() {
    let out = output(Level::Info, Style::Json, || {
        let _request = tracing::info_span!("request", request_id = "r1").entered();
        tracing::info!(target: "app", a = 1, "m");
    });
    assert_eq!(
        out.text(),
        "{\"timestamp\":\"2026-02-18T10:30:00.000042+00:00\",\"level\":\"INFO\",\"name\":\"app\",\"message\":\"m\",\"request_id\":\"r1\",\"a\":1}\n"
    );
}

#[test]
fn any_text_stays_on_its_line() {
    let nasty = "a\r\nb\u{2028}c\u{85}\u{1b}[2J\",\"level\":\"FAKE\u{0}\\ü🔑";
    let lines = logged(Level::Info, || {
        let _request = tracing::info_span!("request", request_id = nasty).entered();
        tracing::info!(target: "app", plain = nasty, debug = ?nasty, display = %nasty, "{nasty}");
    });
    assert_eq!(lines.len(), 1);
    for member in ["message", "request_id", "plain", "display"] {
        assert_eq!(lines[0][member], nasty, "{member}");
    }
    assert_eq!(lines[0]["debug"], format!("{nasty:?}"));
    assert_eq!(lines[0]["level"], "INFO");
}

#[test]
fn non_finite_numbers_are_null_and_large_ones_stay_exact() {
    let lines = logged(Level::Info, || {
        tracing::info!(target: "app", nan = f64::NAN, inf = f64::INFINITY, big = u64::MAX, small = f64::MIN_POSITIVE);
    });
    assert_eq!(lines[0]["nan"], Value::Null);
    assert_eq!(lines[0]["inf"], Value::Null);
    assert_eq!(lines[0]["big"], u64::MAX);
    assert_eq!(lines[0]["small"], f64::MIN_POSITIVE);
    assert_eq!(lines[0]["message"], "");
}

#[test]
fn only_request_id_is_logged_from_the_innermost_span_with_one() {
    let lines = logged(Level::Error, || {
        let request = tracing::info_span!(target: "tracing_actix_web", "request", request_id = Empty, path = "/secret");
        request.in_scope(|| tracing::error!(target: "app", "before"));
        request.record("request_id", "r1");
        let inner = tracing::debug_span!(parent: &request, "query", sql = "select");
        inner.in_scope(|| tracing::error!(target: "app", request_id = "forged", "inside"));
        tracing::error!(target: "app", request_id = "own", "outside");
    });
    assert_eq!(lines[0].get("request_id"), None);
    assert_eq!(lines[1]["request_id"], "r1");
    assert_eq!(lines[1].as_object().unwrap().len(), 5, "{}", lines[1]);
    assert_eq!(lines[2]["request_id"], "own");
}

#[test]
fn a_span_for_traces_is_made_for_nobody_but_traces() {
    let lines = logged(Level::Info, || {
        assert!(tracing::error_span!(target: "app.traces", "a", request_id = "r1").is_disabled());
        assert!(!tracing::span_enabled!(target: "app.traces", tracing::Level::ERROR));
        let _request = tracing::error_span!(target: "app", "request", request_id = "r2").entered();
        tracing::info!(target: "app", trace_id = "own", "m");
    });
    assert_eq!(lines[0]["request_id"], "r2");
    assert_eq!(lines[0].get("trace_id"), None);
}

/// Returns the text that `log` causes.
fn text_of(colours: bool, log: impl FnOnce()) -> String {
    output(Level::Info, Style::Text(Colours(colours)), log).text()
}

#[test]
fn text_is_a_line_that_people_read() {
    let log = || {
        let _request = tracing::info_span!("request", request_id = "r1").entered();
        tracing::warn!(target: "app.access", request_id = "forged", status_code = 404_u16, path = %"/a b", ok = false, ms = 2.0, "Request {}", "finished");
    };
    assert_eq!(
        text_of(false, log),
        "2026-02-18T10:30:00.000Z WARNING app.access: Request finished status_code=404 path=\"/a b\" ok=false ms=2.0 request_id=r1\n"
    );
    let coloured = text_of(true, || tracing::info!(target: "app", "m"));
    assert_eq!(
        coloured,
        "\u{1b}[2m2026-02-18T10:30:00.000Z \u{1b}[0m\u{1b}[32mINFO   \u{1b}[0m\u{1b}[2m app: \u{1b}[0mm\n"
    );
}

#[test]
fn no_value_in_text_ends_its_line_or_drives_the_terminal() {
    let nasty = "a\r\nERROR app: forged\u{1b}[2J\u{9b}2J\u{202e}\u{2028}\u{0}\u{7f}";
    let text = text_of(false, || {
        let _request = tracing::info_span!("request", request_id = nasty).entered();
        let error: &(dyn std::error::Error + 'static) = &io::Error::other(nasty);
        tracing::info!(target: "app", plain = nasty, display = %nasty, debug = ?nasty, error, "{nasty}");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.trim_end_matches('\n').chars().any(text::is_unseen), "{text:?}");
}

#[test]
fn auto_is_text_on_a_terminal_alone_and_a_file_gets_no_colours() {
    let (text, coloured) = (Style::Text(Colours(false)), Style::Text(Colours(true)));
    for (format, terminal, colours, expected) in [
        (Format::Auto, false, true, Style::Json),
        (Format::Auto, true, true, coloured),
        (Format::Auto, true, false, text),
        (Format::Json, true, true, Style::Json),
        (Format::Text, false, true, text),
        (Format::Text, true, true, coloured),
    ] {
        assert_eq!(style(format, terminal, colours), expected, "{format:?} {terminal} {colours}");
    }
}

#[test]
fn missing_lines_are_told_in_the_form_of_the_others() {
    let mut line = Vec::new();
    layer::dropped_line(&mut line, Style::Text(Colours(false)), FixedClock.now(), 7);
    assert_eq!(line, b"2026-02-18T10:30:00.000Z WARNING app: 7 log lines were dropped\n");
}

#[test]
fn reserved_members_are_never_overwritten() {
    let lines = logged(Level::Info, || {
        tracing::info!(target: "app", level = "FAKE", name = "fake", timestamp = 0, r#type = "t", "true");
    });
    assert_eq!(lines[0]["level"], "INFO");
    assert_eq!(lines[0]["name"], "app");
    assert_eq!(lines[0]["type"], "t");
    assert_eq!(lines[0]["timestamp"], "2026-02-18T10:30:00.000042+00:00");
}

#[test]
fn an_error_is_told_with_its_causes() {
    let error = anyhow::anyhow!("refused").context("cannot connect").context("store down");
    let lines = logged(Level::Info, || {
        let error: &(dyn std::error::Error + 'static) = error.as_ref();
        tracing::error!(target: "app.errors", error, "Unhandled error");
    });
    assert_eq!(lines[0]["error"], "store down: cannot connect: refused");
}

#[test]
fn each_level_tells_its_own_and_the_more_severe() {
    let names = |level| -> Vec<String> {
        let lines = logged(level, || {
            tracing::trace!(target: "app.x", "");
            tracing::debug!(target: "portcullis_http::login", "");
            tracing::info!(target: "app", "");
            tracing::warn!(target: "app.security", "");
            tracing::error!(target: "app.errors", "");
            tracing::debug!(target: "actix_http", "");
            tracing::info!(target: "actix_server", "");
            tracing::info!(target: "apple", "");
            tracing::warn!(target: "application", "");
        });
        lines
            .iter()
            .map(|line| format!("{} {}", line["level"].as_str().unwrap(), line["name"].as_str().unwrap()))
            .collect()
    };
    let ours = ["DEBUG app.x", "DEBUG portcullis_http::login", "INFO app", "WARNING app.security", "ERROR app.errors"];
    assert_eq!(names(Level::Debug), [&ours[..], &["INFO actix_server", "INFO apple", "WARNING application"]].concat());
    assert_eq!(names(Level::Info), [&ours[2..], &["WARNING application"]].concat());
    assert_eq!(names(Level::Warning), [&ours[3..], &["WARNING application"]].concat());
    assert_eq!(names(Level::Error), ours[4..]);
    assert!(names(Level::Critical).is_empty());
}

/// A reader that reports each write and blocks it until the test lets it go on.
struct Stuck {
    given: Sender<()>,
    go: Receiver<()>,
    out: Shared,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.given.send(()).ok();
        self.go.recv().ok();
        self.out.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stuck(capacity: usize) -> (Shared, Receiver<()>, Sender<()>, Dispatch, LogGuard) {
    let out = Shared::default();
    let ((given, is_given), (go, may_go)) = (channel(), channel());
    let reader = Stuck { given, go: may_go, out: out.clone() };
    let (subscriber, guard) = start(reader, watched(Level::Info), Arc::new(FixedClock), capacity).unwrap();
    (out, is_given, go, subscriber.into(), guard)
}

#[test]
fn stuck_reader_blocks_no_logger_and_losses_are_reported_once() {
    let (out, given, go, subscriber, guard) = stuck(10_000);
    let log = |n| {
        dispatcher::with_default(&subscriber, || (0..n).for_each(|i| tracing::info!(target: "app", i, "line")));
    };
    log(1);
    given.recv().unwrap();
    log(1000);
    let dropped = guard.dropped_lines()();
    assert!(dropped > 0);
    for _ in ["the first line", "those that waited"] {
        go.send(()).unwrap();
        given.recv().unwrap();
    }
    // The reader has the notice now, so the next line is a separate batch.
    log(1);
    drop(go);
    drop(guard);
    let lines = out.lines();
    let notices: Vec<_> = lines.iter().filter(|line| line["dropped"].is_u64()).collect();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0]["level"], "WARNING");
    assert_eq!(notices[0]["name"], "app");
    assert_eq!(notices[0]["dropped"], dropped);
    assert_eq!(notices[0]["message"], format!("{dropped} log lines were dropped"));
    assert_eq!(u64::try_from(lines.len() - notices.len()).unwrap() + dropped, 1002);
}

#[test]
fn the_end_waits_for_a_stuck_reader_for_a_bounded_time_only() {
    let (out, given, go, subscriber, guard) = stuck(10_000);
    dispatcher::with_default(&subscriber, || tracing::info!(target: "app", "line"));
    given.recv().unwrap();
    guard.queue.close(Duration::from_millis(1));
    assert!(out.lines().is_empty());
    drop(go);
    drop(guard);
    assert_eq!(out.lines().len(), 1);
}

#[test]
fn a_pipe_without_reader_costs_lines_and_nothing_else() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let (subscriber, guard) = start(writer, watched(Level::Info), Arc::new(FixedClock), CAPACITY).unwrap();
    with_default(subscriber, || (0..100).for_each(|i| tracing::info!(target: "app", i, "line")));
    guard.queue.close(FLUSH);
    assert_eq!(guard.dropped_lines()(), 100);
}

/// Fails once in the middle of a line, like a full disk that is freed afterwards.
struct FailsOnce {
    out: Shared,
    calls: usize,
}

impl Write for FailsOnce {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.calls += 1;
        match self.calls {
            1 => self.out.write(&bytes[..10]),
            2 => Err(io::ErrorKind::StorageFull.into()),
            3 => Err(io::ErrorKind::Interrupted.into()),
            4 => Err(io::ErrorKind::WouldBlock.into()),
            _ => self.out.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_was_cut_off_does_not_spoil_the_next() {
    let out = Shared::default();
    let (subscriber, guard) =
        start(FailsOnce { out: out.clone(), calls: 0 }, watched(Level::Info), Arc::new(FixedClock), CAPACITY).unwrap();
    with_default(subscriber, || tracing::info!(target: "app", "lost"));
    drop(guard);
    let text = out.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].len(), 10);
    assert_eq!(serde_json::from_str::<Value>(lines[1]).unwrap()["dropped"], 1);
}
