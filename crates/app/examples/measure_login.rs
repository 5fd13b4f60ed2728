//! Two measurements of the built service, by hand, on a machine with nothing else to do:
//! `cargo run --release -p portcullis-app --example measure_login -- target/release/portcullis`.
//! Prints tables; with `--assert` as well it ends with an error where a promise is missed.
//!
//! 1. Logins for an unknown email and with a wrong password, interleaved: their medians differ by
//!    less than 5 %, so time does not tell who exists.
//! 2. A login storm of 64 clients: `GET /health` and `POST /auth/refresh` keep a p99 under ten
//!    times their idle p99, and logins past the queue's bound get 503 at once.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a tool for developers: it measures real time, and a failed step ends it"
)]

use serde_json::{Value, json};
use std::fmt;
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use ureq::Agent;

const LOGINS: usize = 200;
const CLIENTS: usize = 64;
const STORM: Duration = Duration::from_secs(15);
const PASSWORD: &str = "correct horse battery staple";

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let binary = arguments.iter().find(|argument| !argument.starts_with("--"));
    let binary = binary.unwrap_or_else(|| panic!("which binary? give its path"));
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(binary), folder.path());
    service.post("/auth/register", &json!({"email": "known@example.com", "password": PASSWORD}));
    let kept = [timing(&service), storm(&service)];
    if arguments.iter().any(|argument| argument == "--assert") {
        assert!(kept.iter().all(|kept| *kept), "a promise is missed");
    }
}

/// The service at its default cost, on a fresh SQLite file.
struct Service {
    process: Child,
    address: String,
    agent: Agent,
}

impl Service {
    fn start(binary: &Path, folder: &Path) -> Self {
        let mut command = Command::new(binary.canonicalize().unwrap());
        command.env_clear().current_dir(folder).stdout(Stdio::piped());
        command.env("SECRET_KEY", "c41f0b9e7d2a58634fb1c0e9d7a3625810be94f7").env("PORT", "0");
        // It guesses at one account more often than anybody may.
        command.env("RATE_LIMIT_ENABLED", "false");
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines.by_ref().find_map(|line| {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            event["address"].as_str().map(str::to_owned)
        });
        thread::spawn(move || lines.for_each(drop));
        let config = Agent::config_builder().http_status_as_error(false).max_idle_connections_per_host(CLIENTS);
        let agent = config.max_idle_connections(CLIENTS * 2).build().into();
        Self { process, address: address.unwrap(), agent }
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let call = self.agent.post(format!("http://{}{path}", self.address));
        let mut reply = call.content_type("application/json").send(body.to_string()).unwrap();
        let body = reply.body_mut().read_to_string().unwrap();
        (reply.status().as_u16(), serde_json::from_str(&body).unwrap())
    }

    fn login(&self, email: &str, password: &str) -> (u16, Value) {
        self.post("/auth/login", &json!({"email": email, "password": password}))
    }

    fn health(&self) {
        self.agent.get(format!("http://{}/health", self.address)).call().unwrap().body_mut().read_to_vec().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

fn tell(line: fmt::Arguments<'_>) {
    let mut out = stdout();
    writeln!(out, "{line}").unwrap();
}

fn timing(service: &Service) -> bool {
    let (mut unknown, mut wrong) = (Vec::new(), Vec::new());
    for _ in 0..LOGINS {
        for (email, times) in [("unknown@example.com", &mut unknown), ("known@example.com", &mut wrong)] {
            let (time, (status, _)) = timed(|| service.login(email, "not the password"));
            assert_eq!(status, 401);
            times.push(time);
        }
    }
    tell(format_args!("login refused     median      p99"));
    let row = |name: &str, times: &mut [Duration]| {
        let (median, p99) = (percentile(times, 50), percentile(times, 99));
        tell(format_args!("{name:<14} {median:>9.2?} {p99:>9.2?}"));
        median.as_secs_f64()
    };
    let (unknown, wrong) = (row("unknown email", &mut unknown), row("wrong password", &mut wrong));
    let difference = (unknown / wrong - 1.0).abs();
    tell(format_args!("the medians differ by {:.2} % (promised: under 5 %)\n", difference * 100.0));
    difference < 0.05
}

/// Health and refresh, called in turn until told to stop; the times of each.
fn probe(service: &Service, stop: &AtomicBool) -> [Vec<Duration>; 2] {
    let (_, mut pair) = service.login("known@example.com", PASSWORD);
    let mut times = [Vec::new(), Vec::new()];
    while !stop.load(Ordering::Relaxed) {
        times[0].push(timed(|| service.health()).0);
        let (time, (status, next)) =
            timed(|| service.post("/auth/refresh", &json!({"refresh_token": pair["refresh_token"]})));
        assert_eq!(status, 200, "{next}");
        (pair, _) = (next, times[1].push(time));
        thread::sleep(Duration::from_millis(5));
    }
    times
}

/// Probes for a while, with that many clients logging in besides; their statuses and times too.
fn probe_beside(service: &Service, clients: usize) -> ([Vec<Duration>; 2], Vec<(u16, Duration)>) {
    let (stop, logins) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let times = thread::scope(|scope| {
        // Signed in before the storm, or its own login is one of those that wait.
        let prober = scope.spawn(|| probe(service, &stop));
        thread::sleep(Duration::from_secs(1));
        for _ in 0..clients {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let (time, (status, _)) = timed(|| service.login("known@example.com", PASSWORD));
                    logins.lock().unwrap().push((status, time));
                    // A client heeds Retry-After, if not to the second.
                    thread::sleep(Duration::from_millis(if status == 503 { 200 } else { 0 }));
                }
            });
        }
        thread::sleep(STORM);
        stop.store(true, Ordering::Relaxed);
        prober.join().unwrap()
    });
    (times, logins.into_inner().unwrap())
}

fn storm(service: &Service) -> bool {
    let (mut idle, _) = probe_beside(service, 0);
    let (mut busy, logins) = probe_beside(service, CLIENTS);
    tell(format_args!("p99              idle     storm   ratio (promised: under 10)"));
    let mut kept = true;
    for (number, name) in ["health", "refresh"].into_iter().enumerate() {
        let (idle, busy) = (percentile(&mut idle[number], 99), percentile(&mut busy[number], 99));
        let ratio = busy.as_secs_f64() / idle.as_secs_f64();
        tell(format_args!("{name:<10} {idle:>10.2?} {busy:>9.2?} {ratio:>7.1}"));
        kept &= ratio < 10.0;
    }
    for wanted in [200, 503] {
        let of_status = logins.iter().filter(|(status, _)| *status == wanted).map(|(_, time)| *time);
        let mut times: Vec<_> = of_status.collect();
        if !times.is_empty() {
            let (median, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
            tell(format_args!("logins {wanted}: {:>6}, median {median:.2?}, p99 {p99:.2?}", times.len()));
        }
    }
    kept && logins.iter().all(|(status, _)| matches!(status, 200 | 503))
}
