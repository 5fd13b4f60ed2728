//! `cargo xtask bench`: starts the release binary on throw-away databases, drives it over
//! loopback with real flows, and holds it against its goals and the machine's limits. Each
//! workload is a file of its own.

mod client;
mod janitor;
mod large;
mod machine;
mod measure;
mod postgres;
mod process;
mod programs;
mod report;
mod run;
mod server;
mod target;
mod workloads;

use anyhow::{Result, ensure};
use run::Run;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Only these: goals (G4) or names of workloads (refresh-sqlite), with commas between
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How long each measurement takes
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How often each contender is measured; the medians count
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// A server with the same contract, to be measured in turns with this one: a shell command, in
    /// which {port} stands for the port; SECRET_KEY, DATABASE_URL, HOST and PORT are in its environment
    #[arg(long)]
    peer: Option<String>,
    /// Measure another binary of Portcullis, already built, instead of this one
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Also what needs many rows: a million users and five million refresh tokens, built once and kept in
    /// target/bench, or a million dead ones
    #[arg(long)]
    large: bool,
    /// Instead of all else, a mixed load for so many minutes: does memory stay flat?
    #[arg(long, value_name = "MINUTES")]
    soak: Option<u32>,
    /// Every workload for a moment, at low cost: shows that the bench works, and no figure worth reading
    #[arg(long)]
    smoke: bool,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as a picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the report as Markdown tables
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

impl Bench {
    pub(crate) fn run(mut self) -> Result<ExitCode> {
        if self.smoke {
            (self.seconds, self.rounds) = (0.3, 1);
        }
        ensure!(self.seconds > 0.0, "--seconds must be more than 0");
        let chosen = workloads::chosen(&self)?;
        let started = Instant::now();
        let mut run = Run::prepare(self)?;
        for (number, workload) in (1..).zip(&chosen) {
            let elapsed = started.elapsed().as_secs();
            eprintln!("[{elapsed:>4} s] {number}/{} {} {}", chosen.len(), workload.goals, workload.name);
            if let Err(error) = (workload.measure)(&mut run) {
                eprintln!("{} failed: {error:#}", workload.name);
                run.report.fail(workload.name, format!("{error:#}"));
            }
        }
        run.report.print();
        run.write()?;
        eprintln!("{} s in all", started.elapsed().as_secs());
        Ok(ExitCode::from(u8::from(!run.report.failures.is_empty())))
    }

    /// How long one measurement takes.
    fn window(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}
