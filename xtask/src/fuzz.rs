//! `cargo xtask fuzz`: libFuzzer on the targets of `fuzz`, by cargo-fuzz on the nightly toolchain.
//! What a target looks at, and what it holds that against, is left to `fuzz/src`; replaying what is
//! kept, to the crate's ordinary tests.

use crate::repository::{metadata, root, run, tool};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const VERSION: &str = "0.13.1";
/// How long each target runs in `check --full`.
const SECONDS: u64 = 60;
/// The code is built for feedback, not for speed or size, and a crash names its lines. No sanitizer:
/// the crates hold no unsafe code, and what is looked for are panics and broken promises.
const PROFILE: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_STRIP", "none"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
];

#[derive(clap::Args)]
pub(crate) struct Fuzz {
    /// Only the targets of these names
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, default_value_t = SECONDS)]
    seconds: u64,
    /// Add to `fuzz/corpus` what reached code that nothing there reaches
    #[arg(long)]
    keep: bool,
}

/// Every target for a minute.
pub(crate) fn check() -> Result<()> {
    Fuzz { targets: Vec::new(), seconds: SECONDS, keep: false }.run()
}

impl Fuzz {
    pub(crate) fn run(self) -> Result<()> {
        let known = targets()?;
        let unknown = self.targets.iter().find(|name| !known.contains(name));
        ensure!(unknown.is_none(), "no such target: {unknown:?}; there are {}", known.join(", "));
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
            "{}: the input is in fuzz/artifacts/<target>; keep it in fuzz/regressions/<target>",
            found.join(", ")
        );
        Ok(())
    }
}

/// The names of the targets: those of their programs.
fn targets() -> Result<Vec<String>> {
    let programs = fs::read_dir(root().join("fuzz/targets"))?.collect::<Result<Vec<_>, _>>()?;
    let names = programs.iter().filter_map(|entry| entry.path().file_stem()?.to_str().map(str::to_owned));
    let mut names: Vec<_> = names.collect();
    names.sort();
    Ok(names)
}

/// The folder that a target's new inputs go to; what is kept is only read.
fn work(target: &str) -> Result<PathBuf> {
    let folder = metadata()?.target_directory.join("fuzz-corpus").join(target);
    fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    Ok(folder)
}

/// Runs a target on a folder that new inputs go to, and on all that is kept.
fn libfuzzer(target: &str, folder: &std::path::Path, arguments: &[&str]) -> Result<()> {
    let mut fuzz = Command::new(tool("cargo-fuzz", VERSION)?);
    fuzz.args(["fuzz", "run", "--features", "libfuzzer", "--sanitizer", "none", target]).arg(folder);
    let kept = ["corpus", "regressions"].map(|kind| root().join("fuzz").join(kind).join(target));
    fuzz.args(kept.iter().filter(|kept| kept.is_dir() && *kept != folder));
    fuzz.args(["--", "-timeout=20", "-max_len=4096", "-verbosity=0"]).args(arguments);
    // The cargo that runs this is not the one that is meant.
    fuzz.env_remove("CARGO").env_remove("RUSTC").env("RUSTUP_TOOLCHAIN", "nightly").envs(PROFILE);
    run("cargo-fuzz", fuzz.current_dir(root()))
}

/// Sees to it that there is a nightly toolchain, which alone can count what an input reaches.
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
        bail!("the nightly toolchain is needed: rustup toolchain install nightly --profile minimal");
    }
    Ok(())
}
