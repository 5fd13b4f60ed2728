//! Baselines: what the machine achieves without the service. Interleaved bcrypt on all cores, batched
//! commits of SQLite, and pgbench with the same statement, each as a separate program.

use crate::measure::{Figures, number};
use crate::postgres::Postgres;
use crate::programs::script;
use crate::run::Run;
use crate::target::Target;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;
use xtask::repository::output;

/// Output of the programs: one JSON object.
#[derive(Deserialize)]
struct Printed {
    #[serde(alias = "hashes", alias = "rotations")]
    count: usize,
    seconds: f64,
    cpu_seconds: f64,
}

fn measure(program: &mut Command) -> Result<Figures> {
    let name = program.get_program().to_string_lossy().into_owned();
    let printed = output(&name, program)?;
    let Printed { count, seconds, cpu_seconds } = serde_json::from_str(&printed).context("a baseline's JSON")?;
    let (rate, cpu) = (number(count) / seconds, cpu_seconds * 1e3 / number(count));
    Ok(Figures { rate: Some(rate), cpu: Some(cpu), ..Figures::default() })
}

/// bcrypt without the service.
pub(super) struct RawBcrypt {
    program: std::path::PathBuf,
    cost: u32,
    lanes: usize,
    threads: usize,
}

impl RawBcrypt {
    /// Uses all cores, with the number of interleaved hashes that is fastest on this machine.
    pub(super) fn on_all_cores(run: &Run) -> Result<Self> {
        let mut raw = Self::alone(run)?;
        raw.threads = available_parallelism().map_or(1, usize::from);
        let mut best = 0.0;
        let time = run.options.window() / 2;
        for lanes in [1, 4, 6] {
            let rate = Self { lanes, program: raw.program.clone(), ..raw }.measure(time)?.rate.unwrap_or(0.0);
            if rate > best {
                (best, raw.lanes) = (rate, lanes);
            }
        }
        eprintln!("       raw bcrypt is fastest with {} hashes at once: {best:.1}/s", raw.lanes);
        Ok(raw)
    }

    /// Computes one hash after another on one core.
    pub(super) fn alone(run: &Run) -> Result<Self> {
        Ok(Self { program: run.programs.limit("raw_bcrypt")?, cost: run.cost(), lanes: 1, threads: 1 })
    }

    pub(super) fn measure(&self, time: Duration) -> Result<Figures> {
        let Self { program, cost, lanes, threads } = self;
        let mut command = Command::new(program);
        for (name, value) in
            [("--cost", cost.to_string()), ("--lanes", lanes.to_string()), ("--threads", threads.to_string())]
        {
            command.arg(name).arg(value);
        }
        // The program accepts whole seconds only.
        measure(command.arg("--seconds").arg(time.as_secs().max(1).to_string()))
    }
}

/// Measures SQLite commits of what a refresh writes, with `batch` refreshes per commit.
pub(super) fn sqlite_commits(program: &Path, folder: &Path, batch: usize, time: Duration) -> Result<Figures> {
    let mut command = Command::new(program);
    command.arg("--path").arg(folder.join("commits.db")).args(["--batch", &batch.to_string()]);
    measure(command.arg("--seconds").arg(time.as_secs_f64().to_string()))
}

/// pgbench with one statement that writes what a refresh writes, on its own database.
pub(super) struct Pgbench {
    postgres: Arc<Postgres>,
}

const DATABASE: &str = "pgbench";

impl Pgbench {
    pub(super) fn prepare(run: &mut Run) -> Result<Self> {
        let postgres = run.postgres()?;
        postgres.create(DATABASE)?;
        let place = Target::existing(run.ours(), run.folder.clone(), Some((Arc::clone(&postgres), DATABASE)));
        place.command(&["migrate"])?;
        Ok(Self { postgres })
    }

    /// Runs pgbench. The CPU time is that of PostgreSQL only, including the start of its processes.
    pub(super) fn measure(&self, clients: usize, time: Duration) -> Result<Figures> {
        self.postgres.script(DATABASE, &script("rotation_setup.pgbench.sql")?)?;
        let (clients, seconds) = (clients.to_string(), time.as_secs().max(1).to_string());
        let threads = available_parallelism().map_or(1, usize::from).to_string();
        let arguments = ["-n", "-M", "prepared", "-D", "n=0", "-c", &clients, "-j", &threads, "-T", &seconds];
        let cpu = self.postgres.cpu()?;
        let printed = self.postgres.pgbench(DATABASE, &arguments, &script("rotation.pgbench.sql")?)?;
        let cpu = self.postgres.cpu()?.saturating_sub(cpu);
        let (rate, count) = (value(&printed, "tps = ")?, value(&printed, "actually processed: ")?);
        Ok(Figures { rate: Some(rate), cpu: Some(cpu.as_secs_f64() * 1e3 / count), ..Figures::default() })
    }
}

/// Parses the number after a name in the output of pgbench.
fn value(printed: &str, name: &str) -> Result<f64> {
    let after = printed.split_once(name).map(|(_, after)| after).unwrap_or_default();
    let end = after.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(after.len());
    after.get(..end).and_then(|text| text.parse().ok()).with_context(|| format!("pgbench printed no `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbench_prints_is_read() {
        let printed = "number of transactions actually processed: 5021\nlatency average = 3.1 ms\n\
                       tps = 5020.5 (without initial connection time)\n";
        assert_eq!(value(printed, "tps = ").unwrap(), 5020.5);
        assert_eq!(value(printed, "actually processed: ").unwrap(), 5021.0);
        assert!(value("connection refused", "tps = ").is_err());
    }

    #[test]
    fn what_a_limit_prints_becomes_a_rate_and_the_cpu_of_one() {
        let mut program = Command::new("echo");
        let figures = measure(program.arg(r#"{"batch":16,"rotations":1000,"seconds":2.0,"cpu_seconds":0.5}"#)).unwrap();
        assert_eq!((figures.rate, figures.cpu), (Some(500.0), Some(0.5)));
    }
}
