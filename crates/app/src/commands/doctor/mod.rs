//! `portcullis doctor`: checks everything that the service depends on and suggests fixes. Starts nothing
//! and changes nothing. The checks are in the submodules; this file runs them and prints the findings.

mod configuration;
mod database;
mod encryption;
mod machine;
mod mail;
mod passkeys;
mod providers;
mod redis;

use super::console::{Cell, Table, escape_for_terminal};
use crate::settings::Settings;
use crate::system::SystemClock;
use clap::Args;
use portcullis_ports::Clock;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Arguments of `portcullis doctor`.
#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// Print JSON Lines
    #[arg(long)]
    json: bool,
}

/// Time limit of a check, except those of the mail server and of providers.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Ok,
    Warning,
    Error,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Result of a check.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    level: Level,
    what: String,
    advice: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, what: what.into(), advice: None }
    }

    fn warning(check: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, level: Level::Warning, what: what.into(), advice: Some(advice.into()) }
    }

    fn error(check: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, level: Level::Error, what: what.into(), advice: Some(advice.into()) }
    }
}

/// Runs all checks. The exit code is 1 if any finding is an error; warnings do not fail.
pub(crate) fn doctor(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let mut report = Report { json: args.json, failed: false };
    let (settings, findings) = configuration::examine();
    report.print(findings)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    if let Some(settings) = settings.map(Arc::new) {
        report.run_check("database", settings.clone(), clock.clone(), database::examine)?;
        if settings.limits.redis.is_some() {
            report.run_check("redis", settings.clone(), clock.clone(), redis::examine)?;
        }
        report.run_check(mail::CHECK, settings.clone(), clock.clone(), mail::examine)?;
        if !settings.providers.list.is_empty() {
            report.run_check(providers::CHECK, settings.clone(), clock.clone(), providers::examine)?;
        }
        report.print(configuration::keys(&settings))?;
    }
    report.print(machine::examine(&*clock))?;
    Ok(if report.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints findings as they come.
struct Report {
    json: bool,
    failed: bool,
}

impl Report {
    /// Runs a check on a separate thread and prints its findings, or an error after the time limit.
    fn run_check(
        &mut self,
        check: &'static str,
        settings: Arc<Settings>,
        clock: Arc<dyn Clock>,
        examine: fn(&Settings, &Arc<dyn Clock>) -> Vec<Finding>,
    ) -> io::Result<()> {
        let (teller, told) = channel();
        std::thread::Builder::new().name(check.to_owned()).spawn(move || {
            // The receiver is gone after the time limit.
            teller.send(examine(&settings, &clock)).ok();
        })?;
        let cancellation = match check {
            mail::CHECK => mail::CHECK_TIMEOUT,
            providers::CHECK => providers::CHECK_TIMEOUT,
            _ => CHECK_TIMEOUT,
        };
        let findings = told.recv_timeout(cancellation).unwrap_or_else(|_| {
            let advice = "check whether the network drops packets or the server is overloaded";
            vec![Finding::error(check, format!("no response within {} s", cancellation.as_secs()), advice)]
        });
        self.print(findings)
    }

    fn print(&mut self, findings: Vec<Finding>) -> io::Result<()> {
        let mut out = io::stdout().lock();
        self.failed |= findings.iter().any(|finding| finding.level == Level::Error);
        if self.json {
            let mut listing = Table::new(&mut out, true, &["check", "status", "what", "advice"]);
            for Finding { check, level, what, advice } in findings {
                let text = |text: &str| Cell::Text(text.to_owned());
                listing.row([text(check), text(level.as_str()), Cell::Text(what), advice.into()])?;
            }
            return listing.end();
        }
        for Finding { check, level, what, advice } in findings {
            let advice = advice.map(|advice| format!(" — {}", escape_for_terminal(&advice))).unwrap_or_default();
            writeln!(out, "{:7}  {check}: {}{advice}", level.as_str(), escape_for_terminal(&what))?;
        }
        Ok(())
    }
}

/// Clock difference in seconds above which to warn, and above which each side rejects the other's tokens.
const CLOCK_WARNING: i64 = 5;
const CLOCK_ERROR: i64 = 60;

/// Compares this machine's clock with the clock of a server.
fn clocks(whose: &str, ours: chrono::DateTime<chrono::Utc>, theirs: chrono::DateTime<chrono::Utc>) -> Finding {
    let apart = theirs.signed_duration_since(ours).num_milliseconds();
    let seconds = apart / 1000;
    let what = format!(
        "{whose} is {}.{:03} s {}",
        seconds.abs(),
        apart.abs() % 1000,
        if apart < 0 { "behind" } else { "ahead" }
    );
    let advice = "synchronize the clocks of both machines with NTP";
    match seconds.abs() {
        0..=CLOCK_WARNING => Finding::ok("clock", what),
        ..=CLOCK_ERROR => Finding::warning("clock", what, advice),
        _ => Finding::error("clock", what, advice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, TimeDelta};

    #[test]
    fn clocks_may_differ_by_seconds() {
        let now = DateTime::UNIX_EPOCH;
        for (millis, level, what) in [
            (0, Level::Ok, "x is 0.000 s ahead"),
            (-1500, Level::Ok, "x is 1.500 s behind"),
            (-6000, Level::Warning, "x is 6.000 s behind"),
            (60_999, Level::Warning, "x is 60.999 s ahead"),
            (61_000, Level::Error, "x is 61.000 s ahead"),
        ] {
            let finding = clocks("x", now, now + TimeDelta::milliseconds(millis));
            assert_eq!((finding.level, finding.what.as_str()), (level, what));
        }
    }
}
