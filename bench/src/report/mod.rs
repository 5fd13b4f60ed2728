//! Results of a run: figures of each contender, and the goals checked against them. Written as JSON,
//! tables and a picture.

mod svg;
mod tables;

use super::machine::Machine;
use super::measure::Figures;
use anyhow::{Context, Result};
use serde::Serialize;
use std::path::Path;

/// All results of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) rows: Vec<Row>,
    pub(super) checks: Vec<Check>,
    /// Workloads that could not be measured, and why.
    pub(super) failures: Vec<Failure>,
}

/// Figures of one contender in one workload.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) goal: &'static str,
    pub(super) workload: String,
    pub(super) contender: String,
    #[serde(flatten)]
    pub(super) figures: Figures,
}

/// A goal and its measured value.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Check {
    pub(super) goal: &'static str,
    pub(super) workload: String,
    /// Description of the value, such as "CPU, of the peer's".
    pub(super) what: String,
    pub(super) unit: &'static str,
    /// `None` if the value, or what it is relative to, was not measured.
    pub(super) value: Option<f64>,
    pub(super) bound: Bound,
    pub(super) met: Option<bool>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

#[derive(Debug, Serialize)]
pub(super) struct Failure {
    pub(super) workload: String,
    pub(super) reason: String,
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }

    /// Returns how far a value reaches the goal: 1 at the goal, more is better.
    fn attainment(self, value: f64) -> f64 {
        match self {
            Self::AtLeast(bound) => value / bound,
            Self::AtMost(bound) if value <= bound && bound == 0.0 => 1.0,
            // Capped, since the attainment of a value of 0 is infinite.
            Self::AtMost(bound) => (bound / value.max(f64::MIN_POSITIVE)).min(100.0),
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("at least {bound}"),
            Self::AtMost(bound) => format!("at most {bound}"),
        }
    }
}

impl Report {
    pub(super) fn new(machine: Machine) -> Self {
        Self { machine, rows: Vec::new(), checks: Vec::new(), failures: Vec::new() }
    }

    /// Compares a value with a goal and adds the result.
    pub(super) fn check(
        &mut self,
        name: (&'static str, &str),
        what: &str,
        measured: (Option<f64>, &'static str),
        bound: Bound,
    ) {
        let (value, unit) = measured;
        let ((goal, workload), what) = (name, what.to_owned());
        let met = value.map(|value| bound.holds(value));
        self.checks.push(Check { goal, workload: workload.to_owned(), what, unit, value, bound, met });
    }

    /// Returns the CPU time per operation of a contender, or `None` if it has no row.
    pub(super) fn cpu_of(&self, workload: &str, contender: &str) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.workload == workload && row.contender == contender)?;
        row.figures.cpu
    }

    pub(super) fn fail(&mut self, workload: &str, reason: String) {
        self.failures.push(Failure { workload: workload.to_owned(), reason });
    }

    pub(super) fn print(&self) {
        print!("{}", tables::text(self));
    }

    pub(super) fn write_json(&self, file: &Path) -> Result<()> {
        write(file, &(serde_json::to_string_pretty(self)? + "\n"))
    }

    pub(super) fn write_markdown(&self, file: &Path) -> Result<()> {
        write(file, &tables::markdown(self))
    }

    pub(super) fn write_svg(&self, file: &Path) -> Result<()> {
        write(file, &svg::text(self)?)
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("{}", file.display()))
}

/// Formats three significant digits; whole numbers from 100 on.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        size if size >= 0.01 => format!("{value:.3}"),
        size if size > 0.0 => format!("{value:.4}"),
        _ => "0".to_owned(),
    }
}

fn short_or(value: Option<f64>, otherwise: &str) -> String {
    value.map_or_else(|| otherwise.to_owned(), short)
}

#[cfg(test)]
pub(super) fn sample() -> Report {
    let machine = Machine::unknown();
    let mut report = Report::new(machine);
    for (contender, rate) in [("Portcullis", 9000.0), ("one batched commit each", 12_000.0)] {
        let figures =
            Figures { rate: Some(rate), cpu: Some(0.1), p50: Some(1.5), p99: Some(3.0), ..Figures::default() };
        report.rows.push(Row { goal: "G4", workload: "refresh <16>".into(), contender: contender.into(), figures });
    }
    let name = ("G4", "refresh <16>");
    report.check(name, "rate against batched commits", (Some(0.75), ""), Bound::AtLeast(0.6));
    report.check(name, "CPU", (Some(0.2), "ms"), Bound::AtMost(0.15));
    report.check(name, "rate against the peer's", (None, ""), Bound::AtLeast(12.0));
    report.fail("purge", "no such command".into());
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_up_to_itself() {
        assert!(Bound::AtLeast(0.9).holds(0.9) && !Bound::AtLeast(0.9).holds(0.89));
        assert!(Bound::AtMost(2.0).holds(2.0) && !Bound::AtMost(2.0).holds(2.01));
    }

    #[test]
    fn attainment_is_one_at_the_goal_and_more_is_better() {
        assert_eq!(Bound::AtLeast(0.5).attainment(1.0), 2.0);
        assert_eq!(Bound::AtMost(2.0).attainment(1.0), 2.0);
        assert_eq!(Bound::AtMost(2.0).attainment(0.0), 100.0);
        assert_eq!([0.0, 3.0].map(|value| Bound::AtMost(0.0).attainment(value)), [1.0, 0.0]);
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        let met: Vec<_> = sample().checks.iter().map(|check| check.met).collect();
        assert_eq!(met, [Some(true), Some(false), None]);
    }

    #[test]
    fn figures_stand_beside_the_names_in_json() {
        let value = serde_json::to_value(sample()).unwrap();
        assert_eq!(value["rows"][0]["a_second"], 9000.0);
        assert_eq!(value["rows"][0]["contender"], "Portcullis");
        assert_eq!(value["checks"][1]["met"], false);
        assert_eq!(value["checks"][1]["bound"]["at_most"], 0.15);
        assert_eq!(value["failures"][0]["workload"], "purge");
    }

    #[test]
    fn three_figures_count() {
        let shown = [12345.6, 99.94, 1.234, 0.1234, 0.001_234, 0.0].map(short);
        assert_eq!(shown, ["12346", "99.9", "1.23", "0.123", "0.0012", "0"]);
    }
}
