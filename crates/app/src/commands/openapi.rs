//! `portcullis openapi`.

use portcullis_domain::registration::PasswordPolicy;
use std::io::Write;

/// Prints the OpenAPI document. Needs no configuration: title and limits are the defaults.
pub(crate) fn openapi() -> anyhow::Result<()> {
    let document = portcullis_http::document("Portcullis", &PasswordPolicy::default());
    Ok(writeln!(std::io::stdout(), "{document:#}")?)
}
