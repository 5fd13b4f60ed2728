//! Checks email delivery: the mail server accepts the connection, TLS and the login, or the folder is
//! writable. Sends nothing.

use super::Finding;
use crate::settings::Settings;
use crate::wire::smtp;
use portcullis_lettre::{Greeting, SmtpUrl, TimeLimits};
use portcullis_ports::Clock;
use rustix::fs::{Access, access};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) const CHECK: &str = "mail";
/// Time limit of this check. Longer than others, because some mail servers delay their greeting on purpose.
pub(super) const CHECK_TIMEOUT: Duration = Duration::from_secs(15);
const GREETING: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(14);

/// Checks the mail server, or the folder without one.
pub(super) fn examine(settings: &Settings, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    vec![match &settings.mail.server {
        Some(url) => server(settings, url, clock),
        None => folder(&settings.mail.folder),
    }]
}

fn server(settings: &Settings, url: &SmtpUrl, clock: &Arc<dyn Clock>) -> Finding {
    let limits = TimeLimits { greeting: GREETING, command: GREETING, total: WHOLE, ..TimeLimits::default() };
    let place = url.place();
    match smtp(&settings.mail, url.clone(), limits, clock).greet() {
        Ok(Greeting::Ready { encrypted }) => {
            let how = if encrypted { "over TLS" } else { "unencrypted" };
            Finding::ok(CHECK, format!("the mail server {place} accepts emails {how}"))
        }
        Ok(Greeting::Slow) => {
            let what = format!("the mail server {place} sent no greeting within {} s", GREETING.as_secs());
            Finding::warning(CHECK, what, "check why it is slow; `serve` waits up to 60 s")
        }
        Err(error) => {
            let what = format!("the mail server {place} cannot be used: {error}");
            Finding::error(CHECK, what, "check SMTP_URL and the server's log; until then emails wait in the outbox")
        }
    }
}

/// Checks that the folder is writable, or can be created: the first email creates it.
fn folder(folder: &Path) -> Finding {
    let existing = folder.ancestors().map(|place| if place.as_os_str().is_empty() { Path::new(".") } else { place });
    let existing = existing.into_iter().find(|place| place.exists()).unwrap_or(folder);
    let writable = existing.is_dir() && access(existing, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    if writable {
        return Finding::ok(CHECK, format!("emails are written to {}; set SMTP_URL to send them", folder.display()));
    }
    let what = format!("MAIL_DIR cannot be written: {}", folder.display());
    Finding::error(CHECK, what, "choose a folder that the user of the service can write to, or set SMTP_URL")
}
