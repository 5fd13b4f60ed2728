//! Looks at where mails go: the mail server greets, speaks TLS and takes the password, or the folder
//! can be written. Sends nothing.

use super::Finding;
use crate::mail::smtp;
use crate::settings::Settings;
use portcullis_lettre::{Greeting, SmtpUrl, TimeLimits};
use portcullis_ports::Clock;
use rustix::fs::{Access, access};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) const CHECK: &str = "mail";
/// How long this look may take: longer than others, for mail servers greet late on purpose.
pub(super) const CHECK_TIMEOUT: Duration = Duration::from_secs(15);
const GREETING: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(14);

/// Everything about it.
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
            let how = if encrypted { "over TLS" } else { "in the clear" };
            Finding::ok(CHECK, format!("the mail server {place} takes mails {how}"))
        }
        Ok(Greeting::Slow) => {
            let what = format!("the mail server {place} has not greeted within {} s", GREETING.as_secs());
            Finding::warning(CHECK, what, "look why it is slow: `serve` waits 60 s for it")
        }
        Err(error) => {
            let what = format!("the mail server {place} cannot be used: {error}");
            Finding::error(CHECK, what, "look at SMTP_URL, and at the server's log; mails wait meanwhile")
        }
    }
}

/// The folder is created with the first mail, so one that can be is as good.
fn folder(folder: &Path) -> Finding {
    let existing = folder.ancestors().map(|place| if place.as_os_str().is_empty() { Path::new(".") } else { place });
    let existing = existing.into_iter().find(|place| place.exists()).unwrap_or(folder);
    let writable = existing.is_dir() && access(existing, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    if writable {
        return Finding::ok(CHECK, format!("mails are written to {}: SMTP_URL would send them", folder.display()));
    }
    let what = format!("MAIL_DIR cannot be written: {}", folder.display());
    Finding::error(CHECK, what, "name a folder that the user of the service may write, or set SMTP_URL")
}
