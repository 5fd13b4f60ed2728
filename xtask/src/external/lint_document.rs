//! Lints `docs/openapi.json` with openapi-spec-validator and Redocly. The gate `openapi` compares the
//! file with the service's document.

use super::tools;
use anyhow::Result;
use std::process::Command;
use xtask::repository::{root, run};

pub(crate) fn check() -> Result<()> {
    let document = root().join("docs/openapi.json");
    let mut validator = Command::new(tools::python()?.join("openapi-spec-validator"));
    run("openapi-spec-validator", validator.args(["--validation-errors", "all"]).arg(&document))?;
    let mut redocly = Command::new(tools::node()?.join("node_modules/.bin/redocly"));
    redocly.args(["lint", "--extends", "recommended"]).arg(&document);
    // Disables telemetry and the update check.
    redocly.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    run("redocly lint", redocly.current_dir(root()))
}
