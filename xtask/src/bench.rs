//! `cargo xtask bench`: builds and runs the crate `bench`, which measures the release binary.

use anyhow::{Context, Result};
use std::env::current_dir;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use xtask::repository::cargo;

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Bench {
    /// Options of the bench; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<OsString>,
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        eprintln!("building and running the bench: cargo run --package portcullis-bench");
        let mut bench = cargo();
        bench.args(["run", "--package", "portcullis-bench", "--"]).args(self.options);
        // Files named in the options are relative to the folder of the caller.
        let error = bench.current_dir(current_dir()?).exec();
        Err(error).context("cargo: cannot be started")
    }
}
