//! The repository's chores: `cargo xtask <command>`. One file for each command; nothing here is
//! part of the service, and no crate of the workspace is named.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to the person who typed it")]
#![expect(clippy::disallowed_methods, reason = "chores read the environment, take the time and wait")]

mod apt;
mod bench;
mod check;
mod database_extras;
mod database_server;
mod deny;
mod full;
mod fuzz;
mod languages;
mod layers;
mod migrate;
mod openapi;
mod redis_server;
mod repository;
mod sbom;
mod serve;
mod test;
mod test_summary;
mod tidy;

use clap::Parser;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The chores of the repository")]
enum Xtask {
    /// Run the service; a first run writes a `.env` with a fresh secret
    Serve(serve::Serve),
    /// Run the tests, those on PostgreSQL included
    Test(test::Test),
    /// Run every gate that CI runs, the tests apart
    Check(check::Check),
    /// Feed the fuzz targets what libFuzzer makes up, on the nightly toolchain
    Fuzz(fuzz::Fuzz),
    /// Hold the dependencies of the crates against `xtask/layers.json`
    Layers,
    /// Hold the files against the house rules
    Tidy,
    /// Make a migration, or run those there are
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// Write `docs/openapi.json` from the service's own document
    Openapi(openapi::Openapi),
    /// Measure the release binary against the goals of `docs/performance.md`
    Bench(bench::Bench),
    /// Write what the binary is made of into `target/sbom`, as a CycloneDX document
    Sbom,
}

fn main() -> ExitCode {
    run(Xtask::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(xtask: Xtask) -> anyhow::Result<ExitCode> {
    match xtask {
        Xtask::Serve(serve) => serve.run()?,
        Xtask::Test(test) => return test.run(),
        Xtask::Check(check) => return check.run(),
        Xtask::Fuzz(fuzz) => fuzz.run()?,
        Xtask::Layers => layers::run()?,
        Xtask::Tidy => tidy::run()?,
        Xtask::Migrate(migrate) => migrate.run()?,
        Xtask::Openapi(openapi) => openapi.run()?,
        Xtask::Bench(bench) => return bench.run(),
        Xtask::Sbom => sbom::write()?,
    }
    Ok(ExitCode::SUCCESS)
}
