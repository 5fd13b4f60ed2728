//! Repository tasks: `cargo xtask <command>`, one file per command. Not part of the service; depends on
//! no other crate of the workspace, so that it builds in seconds.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands print to the terminal")]
#![expect(clippy::disallowed_methods, reason = "tasks read the environment and the clock, and sleep")]

mod bench;
mod check;
mod deny;
mod external;
mod fuzz;
mod layers;
mod migrate;
mod openapi;
mod sbom;
mod serve;
mod test;
mod test_summary;
mod tidy;

use clap::Parser;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Repository tasks")]
enum Xtask {
    /// Run the service; the first run writes a `.env` with a new secret key
    Serve(serve::Serve),
    /// Run all tests, including those on PostgreSQL
    Test(test::Test),
    /// Run all gates that CI runs, except the tests
    Check(check::Check),
    /// Run the fuzz targets with libFuzzer on the nightly toolchain
    Fuzz(fuzz::Fuzz),
    /// Check the dependencies of the crates against `xtask/layers.json`
    Layers,
    /// Check the files against the house rules
    Tidy,
    /// Create or run migrations
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// Write the API document of the service to `docs/openapi.json`
    Openapi(openapi::Openapi),
    /// Measure the release binary against the goals in `docs/performance.md`
    Bench(bench::Bench),
    /// Write a CycloneDX document of the binary to `target/sbom`
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
        Xtask::Check(check) => return Ok(check.run()),
        Xtask::Fuzz(fuzz) => fuzz.run()?,
        Xtask::Layers => layers::run()?,
        Xtask::Tidy => tidy::run()?,
        Xtask::Migrate(migrate) => migrate.run()?,
        Xtask::Openapi(openapi) => openapi.run()?,
        Xtask::Bench(bench) => bench.run()?,
        Xtask::Sbom => sbom::write()?,
    }
    Ok(ExitCode::SUCCESS)
}
