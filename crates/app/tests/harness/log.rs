//! Standard output of the service, read line by line as it arrives.

use super::timing::TIMEOUT;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

/// Lines of one stream so far.
#[derive(Default)]
pub(crate) struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    /// The lines that are JSON, parsed once.
    events: Vec<Value>,
    ended: bool,
}

impl Log {
    /// Reads a stream to its end on a background thread.
    pub(crate) fn follow(stream: impl Read + Send + 'static) -> Arc<Self> {
        let log = Arc::new(Self::default());
        let writer = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                let line = String::from_utf8_lossy(&line).into_owned();
                let event = serde_json::from_str(&line).ok();
                let mut state = writer.state.lock().unwrap();
                state.lines.push(line);
                state.events.extend(event);
                drop(state);
                writer.changed.notify_all();
            }
            writer.state.lock().unwrap().ended = true;
            writer.changed.notify_all();
        });
        log
    }

    /// Returns all lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.state.lock().unwrap().lines.clone()
    }

    pub(crate) fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// Returns all events so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.state.lock().unwrap().events.clone()
    }

    /// Waits until `count` events match and returns them.
    pub(crate) fn wait_for(&self, count: usize, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.wait_or_end(count, wanted).unwrap_or_else(|found| {
            panic!("{} of {count} lines as wanted in the log:\n{}", found.len(), self.text());
        })
    }

    /// Like `wait_for`, but returns the matches so far as the error if the stream ends or the time is up.
    #[expect(clippy::disallowed_methods, reason = "what another process writes comes when it comes")]
    pub(crate) fn wait_or_end(&self, count: usize, wanted: impl Fn(&Value) -> bool) -> Result<Vec<Value>, Vec<Value>> {
        let (mut found, mut read) = (Vec::new(), 0);
        let deadline = Instant::now() + TIMEOUT;
        let mut state = self.state.lock().unwrap();
        loop {
            found.extend(state.events[read..].iter().filter(|event| wanted(event)).cloned());
            read = state.events.len();
            if found.len() >= count {
                return Ok(found);
            }
            if state.ended {
                return Err(found);
            }
            // Other lines do not extend the deadline.
            let left = deadline.saturating_duration_since(Instant::now());
            let (next, timeout) = self.changed.wait_timeout(state, left).unwrap();
            state = next;
            if timeout.timed_out() {
                return Err(found);
            }
        }
    }

    /// Waits until a request has finished and returns all its events.
    pub(crate) fn of_request(&self, id: &str) -> Vec<Value> {
        self.wait_for(1, |event| event["request_id"] == id && event["message"] == "Request finished");
        self.state.lock().unwrap().events.iter().filter(|event| event["request_id"] == id).cloned().collect()
    }

    /// Waits until the stream's other end is closed.
    pub(crate) fn wait_for_end(&self) {
        let state = self.state.lock().unwrap();
        let (state, _) = self.changed.wait_timeout_while(state, TIMEOUT, |state| !state.ended).unwrap();
        let ended = state.ended;
        drop(state);
        assert!(ended, "the process still runs after {TIMEOUT:?}");
    }
}

/// Returns a filter for login events with this message.
pub(crate) fn of_login(message: &'static str) -> impl Fn(&Value) -> bool + Copy {
    move |event| event["message"] == message && event["path"] == "/auth/login"
}
