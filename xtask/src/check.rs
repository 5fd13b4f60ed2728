//! `cargo xtask check`: runs every gate of CI except the tests, quick ones first. A gate that fails
//! does not stop the next.

use crate::{deny, external, fuzz, layers, openapi, tidy};
use anyhow::Result;
use clap::builder::PossibleValuesParser;
use std::io::IsTerminal;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use xtask::repository::{cargo, cargo_debug, run, tools};

#[derive(clap::Args)]
pub(crate) struct Check {
    /// Also run the tests of the alert rules, schemathesis, the linters of the API document, the browser
    /// tests, the authenticator apps, the passkeys of other implementations, the files in `deploy`, the
    /// dashboard, the image and the fuzz targets
    #[arg(long)]
    full: bool,
    /// Only these gates
    #[arg(value_parser = names())]
    only: Vec<String>,
}

/// Name and check of a gate.
type Gate = (&'static str, fn() -> Result<()>);

const GATES: [Gate; 8] = [
    ("format", format),
    ("layers", layers::run),
    ("tidy", tidy::run),
    ("clippy", clippy),
    ("doc", doc),
    ("openapi", openapi::check),
    ("loom", loom),
    ("deny", deny::check),
];

const FULL: [Gate; 13] = [
    ("alerts", external::alerts::check),
    ("schemathesis", external::schemathesis::check),
    ("lint_document", external::lint_document::check),
    ("browser", external::browser::check),
    ("pages", external::pages::check),
    ("cookies", external::cookies::check),
    ("providers", external::providers::check),
    ("authenticators", external::authenticators::check),
    ("passkeys", external::passkeys::check),
    ("deploy", external::deploy::check),
    ("dashboard", external::dashboard::check),
    ("image", external::image::check),
    ("fuzz", fuzz::check),
];

/// Run by name alone, because it does not pass yet: deploy/README.md says why.
const BY_NAME: [Gate; 1] = [("patroni", external::patroni::check)];

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(GATES.iter().chain(&FULL).chain(&BY_NAME).map(|gate| gate.0))
}

impl Check {
    pub(crate) fn run(&self) -> ExitCode {
        let chosen: Vec<&Gate> =
            GATES.iter().chain(&FULL).chain(&BY_NAME).filter(|gate| self.chooses(gate.0)).collect();
        let done: Vec<(&str, bool, Duration)> = chosen.into_iter().map(pass).collect();
        println!();
        for (name, open, elapsed) in &done {
            println!("{name:>14}  {:6}  {:6.1} s", if *open { "ok" } else { "FAILED" }, elapsed.as_secs_f64());
        }
        ExitCode::from(u8::from(done.iter().any(|(_, open, _)| !open)))
    }

    fn chooses(&self, name: &str) -> bool {
        if !self.only.is_empty() {
            return self.only.iter().any(|only| only == name);
        }
        GATES.iter().any(|gate| gate.0 == name) || self.full && FULL.iter().any(|gate| gate.0 == name)
    }
}

fn pass((name, gate): &Gate) -> (&'static str, bool, Duration) {
    println!("-- {name}");
    let started = Instant::now();
    let result = gate();
    if let Err(error) = &result {
        println!("{name} failed: {error:#}");
    }
    (name, result.is_ok(), started.elapsed())
}

/// Shows the progress of cargo on a terminal and hides it in a log.
fn quiet(mut cargo: Command) -> Command {
    if !std::io::stderr().is_terminal() {
        cargo.env("CARGO_TERM_QUIET", "true");
    }
    cargo
}

fn format() -> Result<()> {
    run("cargo fmt", quiet(cargo()).args(["fmt", "--all", "--", "--check"]))
}

fn clippy() -> Result<()> {
    run("cargo clippy", quiet(cargo_debug()).args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn doc() -> Result<()> {
    run("cargo doc", quiet(cargo_debug()).args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Checks the models of the circuit breaker. `--cfg loom` changes every crate, so it builds in a
/// separate folder, with no more than they need.
fn loom() -> Result<()> {
    let mut models = quiet(cargo());
    models.args(["test", "--package", "portcullis-resilience", "--no-default-features", "--test", "loom", "--release"]);
    models.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    models.env("RUSTFLAGS", "--cfg loom").env("CARGO_TARGET_DIR", tools()?.with_file_name("loom"));
    run("the models of the circuit breaker", &mut models)
}
