//! All workloads in the order of their goals, and the selection for a run.

mod backlog;
mod baselines;
mod hashing;
mod isolation;
mod large_database;
mod memory;
mod passkeys;
mod providers;
mod purge;
mod reads;
mod refresh;
mod refresh_race;
mod scale;
mod second_factor;
mod soak;
mod start;

use super::Bench;
use super::run::Run;
use anyhow::{Result, ensure};

/// A measurement and the goals it covers.
pub(super) struct Workload {
    /// Ids of the goals, separated by spaces.
    pub(super) goals: &'static str,
    pub(super) name: &'static str,
    pub(super) measure: fn(&mut Run) -> Result<()>,
    /// Needs many rows: runs only with `--large` or `--smoke`.
    large: bool,
}

const fn workload(goals: &'static str, name: &'static str, measure: fn(&mut Run) -> Result<()>) -> Workload {
    Workload { goals, name, measure, large: false }
}

const fn large(goals: &'static str, name: &'static str, measure: fn(&mut Run) -> Result<()>) -> Workload {
    Workload { large: true, ..workload(goals, name, measure) }
}

/// Runs alone, with `--soak`.
static SOAK: Workload = workload("soak", "soak", soak::measure);

static ALL: [Workload; 20] = [
    workload("G1", "login-storm", hashing::storm),
    workload("G2", "login", hashing::one_login),
    workload("G3", "register", hashing::register),
    workload("G4", "refresh-sqlite", refresh::sqlite),
    workload("G5", "refresh-alone", refresh::alone),
    workload("G6", "refresh-postgres", refresh::postgres),
    workload("G7", "neighbours", isolation::measure),
    workload("G8", "reads", reads::measure),
    workload("G9", "start", start::measure),
    large("G9", "start-large", large_database::start),
    workload("G10", "memory", memory::measure),
    large("G11", "growth", large_database::cpu),
    large("G12", "purge", purge::measure),
    workload("G13", "winners", refresh_race::measure),
    large("G14", "backlog", backlog::measure),
    workload("N3", "second-factor", second_factor::measure),
    workload("N4", "passkeys", passkeys::measure),
    workload("N5", "refresh-by-cookie", refresh::by_cookie),
    workload("N6", "providers", providers::measure),
    workload("scale", "scale", scale::measure),
];

/// Returns the workloads that the options select.
pub(super) fn chosen(options: &Bench) -> Result<Vec<&'static Workload>> {
    if options.soak.is_some() {
        return Ok(vec![&SOAK]);
    }
    for only in &options.only {
        ensure!(
            ALL.iter().any(|workload| workload.is(only)),
            "no such goal or workload: {only}; available: {}",
            names()
        );
    }
    let asked = |workload: &&Workload| {
        let named = options.only.iter().any(|only| workload.is(only));
        (options.only.is_empty() || named) && (options.large || options.smoke || !workload.large)
    };
    let chosen: Vec<_> = ALL.iter().filter(asked).collect();
    ensure!(!chosen.is_empty(), "the selected workloads need --large");
    Ok(chosen)
}

impl Workload {
    fn is(&self, name: &str) -> bool {
        self.name == name || self.goals.split(' ').any(|goal| goal.eq_ignore_ascii_case(name))
    }
}

fn names() -> String {
    ALL.each_ref().map(|workload| format!("{} {}", workload.goals, workload.name)).join(", ")
}
