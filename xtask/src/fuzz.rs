//! `cargo xtask fuzz`: runs libFuzzer on the targets of `fuzz`, with cargo-fuzz on the nightly
//! toolchain. The targets and their oracles are in `fuzz/src`. The tests of that crate replay the
//! stored inputs.

use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use xtask::repository::{metadata, root, run, tool};

const VERSION: &str = "0.13.1";
/// Run time of each target in `check --full`, in seconds.
const SECONDS: u64 = 60;
/// Build profile for coverage feedback, with line numbers in crashes. No sanitizer: the crates contain
/// no unsafe code, and the targets look for panics and broken promises.
const PROFILE: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_STRIP", "none"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
];

#[derive(clap::Args)]
pub(crate) struct Fuzz {
    /// Run only these targets
    targets: Vec<String>,
    /// Run each target for this many seconds
    #[arg(long, default_value_t = SECONDS)]
    seconds: u64,
    /// Add inputs that reach new code to `fuzz/corpus`
    #[arg(long)]
    keep: bool,
}

/// Runs every target for 60 s.
pub(crate) fn check() -> Result<()> {
    Fuzz { targets: Vec::new(), seconds: SECONDS, keep: false }.run()
}

impl Fuzz {
    pub(crate) fn run(self) -> Result<()> {
        let known = targets()?;
        if let Some(unknown) = self.targets.iter().find(|name| !known.contains(name)) {
            bail!("no such target: {unknown}; available: {}", known.join(", "));
        }
        nightly()?;
        let mut found = Vec::new();
        for target in known.iter().filter(|name| self.targets.is_empty() || self.targets.contains(name)) {
            println!("fuzzing {target} for {} s", self.seconds);
            let seconds = format!("-max_total_time={}", self.seconds);
            if let Err(error) = libfuzzer(target, &work(target)?, &[&seconds, "-print_final_stats=1"]) {
                println!("{error:#}");
                found.push(target.as_str());
            } else if self.keep {
                let kept = root().join("fuzz/corpus").join(target);
                libfuzzer(target, &kept, &["-set_cover_merge=1", &work(target)?.display().to_string()])?;
            }
        }
        ensure!(
            found.is_empty(),
            "{} failed: the input is in fuzz/artifacts/<target>; store it in fuzz/regressions/<target>",
            found.join(", ")
        );
        Ok(())
    }
}

/// Lists the targets by the file names of their programs.
fn targets() -> Result<Vec<String>> {
    let programs = fs::read_dir(root().join("fuzz/targets"))?.collect::<Result<Vec<_>, _>>()?;
    let names = programs.iter().filter_map(|entry| entry.path().file_stem()?.to_str().map(str::to_owned));
    let mut names: Vec<_> = names.collect();
    names.sort();
    Ok(names)
}

/// Returns the folder for new inputs of a target. The stored inputs are only read.
fn work(target: &str) -> Result<PathBuf> {
    let folder = metadata()?.target_directory.join("fuzz-corpus").join(target);
    fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be created", folder.display()))?;
    Ok(folder)
}

/// Runs a target on a folder for new inputs and on all stored inputs.
fn libfuzzer(target: &str, folder: &std::path::Path, arguments: &[&str]) -> Result<()> {
    let mut fuzz = Command::new(tool("cargo-fuzz", VERSION)?);
    fuzz.args(["fuzz", "run", "--features", "libfuzzer", "--sanitizer", "none", target]).arg(folder);
    let kept = ["corpus", "regressions"].map(|kind| root().join("fuzz").join(kind).join(target));
    fuzz.args(kept.iter().filter(|kept| kept.is_dir() && *kept != folder));
    fuzz.args(["--", "-timeout=20", "-max_len=4096", "-verbosity=0"]).args(arguments);
    // Removes the variables of the stable cargo that runs this, so that the nightly toolchain is used.
    fuzz.env_remove("CARGO").env_remove("RUSTC").env("RUSTUP_TOOLCHAIN", "nightly").envs(PROFILE);
    run("cargo-fuzz", fuzz.current_dir(root()))
}

/// Installs the nightly toolchain if it is missing. Only nightly supports coverage instrumentation.
fn nightly() -> Result<()> {
    let there = || {
        let mut rustc = Command::new("rustup");
        rustc.args(["run", "nightly", "rustc", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        rustc.status().is_ok_and(|status| status.success())
    };
    if !there() {
        println!("installing the nightly toolchain");
        let _ = Command::new("rustup").args(["toolchain", "install", "nightly", "--profile", "minimal"]).status();
    }
    if !there() {
        bail!("the nightly toolchain is needed: run `rustup toolchain install nightly --profile minimal`");
    }
    Ok(())
}
