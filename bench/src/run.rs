//! State of one run of the bench: options, programs, folder, shared database server and report.

use super::Bench;
use super::client::load::Window;
use super::janitor::Janitor;
use super::machine::Machine;
use super::measure::{Contender, Figures, in_turns};
use super::postgres::Postgres;
use super::programs::Programs;
use super::report::{Report, Row};
use super::server::Program;
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use xtask::repository::metadata;

pub(super) struct Run {
    pub(super) options: Bench,
    pub(super) programs: Programs,
    /// On a disk: a folder for temporary files may be in memory, and commits are measured.
    pub(super) folder: PathBuf,
    pub(super) janitor: Janitor,
    pub(super) report: Report,
    postgres: Option<Arc<Postgres>>,
}

impl Run {
    pub(super) fn prepare(options: Bench) -> Result<Self> {
        let mut programs = Programs::prepare(options.binary.as_deref())?;
        let bench = metadata()?.target_directory.join("bench");
        let folder = bench.join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        programs.portcullis = programs.portcullis.canonicalize()?;
        let machine = Machine::this(&folder, programs.postgres.as_deref());
        let janitor = Janitor::start(Some(&folder))?;
        Ok(Self { options, programs, folder, janitor, report: Report::new(machine), postgres: None })
    }

    /// Returns the folder that is kept between runs.
    pub(super) fn kept(&self) -> Result<PathBuf> {
        let folder = self.folder.with_file_name("kept");
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Returns the temporary PostgreSQL server of this run. Starts it on first use.
    pub(super) fn postgres(&mut self) -> Result<Arc<Postgres>> {
        if let Some(postgres) = &self.postgres {
            return Ok(Arc::clone(postgres));
        }
        let programs = self.programs.postgres.as_ref().context("PostgreSQL's programs were not found")?;
        let postgres = Arc::new(Postgres::start(programs, &self.folder.join("postgres"), &self.janitor)?);
        Ok(Arc::clone(self.postgres.insert(postgres)))
    }

    /// Returns Portcullis, and the peer if one is given.
    pub(super) fn services(&self) -> Vec<Program> {
        let peer = self.options.peer.clone().map(Program::Peer);
        std::iter::once(self.ours()).chain(peer).collect()
    }

    pub(super) fn ours(&self) -> Program {
        Program::Ours(self.programs.portcullis.clone())
    }

    /// Returns the window of a closed loop.
    pub(super) fn window(&self) -> Window {
        let measured = self.options.window();
        Window { warm_up: measured / 4, measured }
    }

    /// Returns a window three times as long, for hashing: its operations are few and end in batches.
    pub(super) fn long_window(&self) -> Window {
        let Window { warm_up, measured } = self.window();
        Window { warm_up: warm_up.max(Duration::from_millis(100)) * 2, measured: measured * 3 }
    }

    /// Returns the bcrypt cost of the measured hashes.
    pub(super) fn cost(&self) -> u32 {
        if self.options.smoke { 4 } else { 12 }
    }

    /// Measures the contenders alternately and adds a row for each. Returns the figures of those that
    /// did not fail, by name.
    pub(super) fn compare(&mut self, goal: &'static str, workload: &str, contenders: &mut [Contender<'_>]) -> Compared {
        eprintln!("       {workload}");
        let mut compared = Compared(Vec::new());
        for (contender, outcome) in in_turns(self.options.rounds, contenders) {
            match outcome {
                Ok(figures) => {
                    let row = Row { goal, workload: workload.to_owned(), contender: contender.clone(), figures };
                    self.report.rows.push(row);
                    compared.0.push((contender, figures));
                }
                Err(error) => {
                    eprintln!("       {workload}: {contender} failed: {error:#}");
                    self.report.fail(&format!("{goal} {workload}, {contender}"), format!("{error:#}"));
                }
            }
        }
        compared
    }

    /// Writes the report to the files named in the options.
    pub(super) fn write(&self) -> Result<()> {
        self.options.json.iter().try_for_each(|file| self.report.write_json(file))?;
        self.options.svg.iter().try_for_each(|file| self.report.write_svg(file))?;
        self.options.markdown.iter().try_for_each(|file| self.report.write_markdown(file))
    }
}

/// Figures of contenders that were measured alternately.
pub(super) struct Compared(Vec<(String, Figures)>);

/// Selects one figure, such as the rate.
pub(super) type Figure = fn(&Figures) -> Option<f64>;

impl Compared {
    /// Returns a figure of a contender, or `None` if it was not measured.
    pub(super) fn get(&self, contender: &str, figure: Figure) -> Option<f64> {
        self.0.iter().find(|(name, _)| name == contender).and_then(|(_, figures)| figure(figures))
    }

    /// Returns Portcullis's figure as a multiple of another contender's.
    pub(super) fn ratio(&self, other: &str, figure: Figure) -> Option<f64> {
        Some(self.get("Portcullis", figure)? / self.get(other, figure)?)
    }
}
