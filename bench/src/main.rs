//! `cargo xtask bench`: starts the release binary on temporary databases, drives it over loopback with
//! real flows, and compares it with its goals and with baselines. Each workload has its own file.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the bench prints to the terminal")]
#![expect(clippy::disallowed_methods, reason = "the bench reads the clock and sleeps")]

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
use clap::Parser;
use run::Run;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Measure the release binary against the goals in `docs/performance.md`
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Bench {
    /// Run only these goals (G4) or workloads (refresh-sqlite), separated by commas
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Measure for this many seconds
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Measure each contender this many times and report the medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Also measure a server with the same contract: a shell command in which {port} is replaced by the
    /// port; SECRET_KEY, DATABASE_URL, HOST and PORT are in its environment
    #[arg(long)]
    peer: Option<String>,
    /// Measure this Portcullis binary instead of building one
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Also run the workloads that need many rows: one million users and five million refresh tokens,
    /// built once and kept in target/bench, or one million dead tokens
    #[arg(long)]
    large: bool,
    /// Run only a mixed load for this many minutes and check that memory stays flat
    #[arg(long, value_name = "MINUTES")]
    soak: Option<u32>,
    /// Run every workload briefly at low cost, to test the bench itself; the figures mean nothing
    #[arg(long)]
    smoke: bool,
    /// Write the report as JSON to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as an SVG image to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the report as Markdown tables to this file
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

fn main() -> ExitCode {
    Bench::parse().run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

impl Bench {
    fn run(mut self) -> Result<ExitCode> {
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
        eprintln!("{} s in total", started.elapsed().as_secs());
        Ok(ExitCode::from(u8::from(!run.report.failures.is_empty())))
    }

    /// Returns the duration of one measurement.
    fn window(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}
