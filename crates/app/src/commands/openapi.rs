//! `portcullis openapi`.

use portcullis_domain::registration::PasswordPolicy;
use std::io::Write;
use std::process::ExitCode;

/// Prints the API document. Needs no configuration: the title and the limits are the
/// defaults.
pub(crate) fn openapi() -> anyhow::Result<ExitCode> {
    let document = portcullis_http::document("Portcullis", &PasswordPolicy::default());
    writeln!(std::io::stdout(), "{document:#}")?;
    Ok(ExitCode::SUCCESS)
}
