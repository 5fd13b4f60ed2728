//! Checks which keys open the stored secrets.

use super::super::keys::secrets;
use super::Finding;
use crate::settings::Settings;
use crate::wire;
use portcullis_diesel::Database;
use portcullis_ports::Clock;
use portcullis_usecases::maintenance::{Reencrypt, SecretCounts};
use std::sync::Arc;
use std::time::Duration;

const CHECK: &str = "encryption";
/// Time after which the remaining secrets are not counted. Shorter than the time limit of the check.
const COUNT_FOR: Duration = Duration::from_secs(2);

/// Counts the secrets that no key or only an earlier key opens.
pub(super) fn examine(settings: &Settings, database: &Database, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let sealer = match wire::sealer(&settings.encryption) {
        Ok(sealer) => sealer,
        Err(error) => return vec![Finding::error(CHECK, format!("{error:#}"), "change ENCRYPTION_KEY")],
    };
    let use_case = Reencrypt { store: database.store.clone(), sealer, clock: clock.clone() };
    let (start, mut is_partial) = (clock.monotonic(), false);
    let counts = use_case.count(&mut || {
        is_partial = clock.monotonic().saturating_sub(start) > COUNT_FOR;
        !is_partial
    });
    match counts {
        Ok(counts) => findings(counts, is_partial),
        Err(error) => vec![Finding::error(CHECK, error.to_string(), "repair the row that the error names")],
    }
}

fn findings(SecretCounts { current, earlier, closed }: SecretCounts, is_partial: bool) -> Vec<Finding> {
    let all = current.saturating_add(earlier).saturating_add(closed);
    let of = if is_partial { format!(", of the first {all} that were checked") } else { String::new() };
    let mut findings = Vec::new();
    if closed > 0 {
        let what = format!("no key opens {}{of}: codes of these authenticator apps are 503", secrets(closed));
        let advice = "list their key in ENCRYPTION_KEY_PREVIOUS (the SECRET_KEY, if ENCRYPTION_KEY is new); if it is \
                      lost, the owners need a recovery code, or `portcullis user reset-mfa`";
        findings.push(Finding::error(CHECK, what, advice));
    }
    if earlier > 0 {
        let what = format!("an earlier key opens {}{of}", secrets(earlier));
        findings.push(Finding::warning(CHECK, what, "run `portcullis keys reencrypt` before you remove that key"));
    }
    if findings.is_empty() {
        let which = if is_partial { "the first" } else { "all" };
        findings.push(Finding::ok(CHECK, format!("the current key opens {which} {}", secrets(all))));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn closed_secrets_are_an_error_and_earlier_keys_a_warning() {
        let levels = |current, earlier, closed| -> Vec<_> {
            let findings = findings(SecretCounts { current, earlier, closed }, false).into_iter();
            findings.map(|finding| (finding.level, finding.what)).collect()
        };
        let text = str::to_owned;
        assert_eq!(levels(2, 0, 0), [(Level::Ok, text("the current key opens all 2 secrets"))]);
        let closed = (Level::Error, text("no key opens 2 secrets: codes of these authenticator apps are 503"));
        assert_eq!(levels(0, 1, 2), [closed, (Level::Warning, text("an earlier key opens 1 secret"))]);
        let partial = &findings(SecretCounts { current: 9, earlier: 1, closed: 0 }, true)[0];
        assert_eq!(partial.what, "an earlier key opens 1 secret, of the first 10 that were checked");
    }
}
