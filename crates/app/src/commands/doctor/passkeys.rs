//! Checks passkeys: which can be used, and whether browsers find the related origins.

use super::Finding;
use crate::settings::{Passkeys, Settings};
use portcullis_diesel::Database;
use url::Url;

const CHECK: &str = "passkeys";

/// Checks the relying party against the database and `PUBLIC_URL`.
pub(super) fn examine(settings: &Settings, database: &Database) -> Vec<Finding> {
    let Passkeys { party, related_origins } = &settings.passkeys;
    let Some(party) = party else {
        let what = "off: the host of PUBLIC_URL is an IP address, and WEBAUTHN_RP_ID is not set";
        return vec![Finding::ok(CHECK, what)];
    };
    let mut findings = vec![match database.count_passkeys_of_other_rp_ids(&party.id) {
        Ok(0) => Finding::ok(CHECK, format!("all are of the RP ID {}", party.id)),
        Ok(others) => {
            let what = format!("{others} of another RP ID than {}: their owners cannot use them", party.id);
            Finding::warning(CHECK, what, "set WEBAUTHN_RP_ID back, or let their owners add passkeys again")
        }
        Err(error) => Finding::error(CHECK, error.to_string(), "fix the database first"),
    }];
    let public = Url::parse(&settings.mail.public_url).ok();
    let is_served = public.as_ref().and_then(Url::host_str) == Some(party.id.as_str());
    if !related_origins.is_empty() && !is_served {
        let what = format!("browsers look for related origins at https://{}/.well-known/webauthn", party.id);
        findings.push(Finding::warning(CHECK, what, "make that server send what this one sends under its PUBLIC_URL"));
    }
    findings
}
