//! `portcullis openapi`.

use portcullis_domain::registration::PasswordPolicy;
use std::io::Write;
use std::process::ExitCode;

/// Prints the OpenAPI document. Needs no configuration: title and limits are the defaults.
pub(crate) fn openapi() -> anyhow::Result<ExitCode> {
    let document = portcullis_http::document("Portcullis", &PasswordPolicy::default());
    writeln!(std::io::stdout(), "{document:#}")?;
    Ok(ExitCode::SUCCESS)
}
