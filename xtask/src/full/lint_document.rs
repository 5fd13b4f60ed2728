//! The API document under two linters: valid OpenAPI, and a document that people can use. Held
//! against `docs/openapi.json`; whether that is the service's own is another gate's question.

use super::tools;
use crate::repository::{root, run};
use anyhow::Result;
use std::process::Command;

pub(crate) fn check() -> Result<()> {
    let document = root().join("docs/openapi.json");
    let mut validator = Command::new(tools::python()?.join("openapi-spec-validator"));
    run("openapi-spec-validator", validator.args(["--validation-errors", "all"]).arg(&document))?;
    let mut redocly = Command::new(tools::node()?.join("node_modules/.bin/redocly"));
    redocly.args(["lint", "--extends", "recommended"]).arg(&document);
    // It would send statistics and ask for newer versions of itself.
    redocly.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    run("redocly lint", redocly.current_dir(root()))
}
