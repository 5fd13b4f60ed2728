//! Finds or installs what the PostgreSQL tests need besides the server: PgBouncer, locale sources, and
//! the server's German messages.

use super::apt;
use crate::repository;
use anyhow::{Result, bail};
use std::path::Path;

/// Files of Debian's packages.
const LOCALE: &str = "/usr/share/i18n/locales/de_DE";
const MESSAGES: &str = "/usr/share/locale/de/LC_MESSAGES";

/// Finds or installs all of them.
pub fn prepare(programs: &Path) -> Result<()> {
    if !has_pooler() && apt::available() {
        apt::install_without_start("pgbouncer")?;
    }
    if !has_pooler() {
        bail!("PgBouncer is needed for the tests: install your system's package `pgbouncer`");
    }
    if !has_locale() && apt::available() {
        apt::install("locales")?;
    }
    if !has_locale() {
        bail!("locale sources are needed for the tests: install `locales`, or glibc's own, with `localedef`");
    }
    // On systems other than Debian, the tests search for the messages themselves.
    let Some(version) = debian_version(programs) else { return Ok(()) };
    let messages = Path::new(MESSAGES).join(format!("postgres-{version}.mo"));
    if !messages.exists() && apt::available() {
        apt::install_again_with(&format!("postgresql-{version}"), "/usr/share/locale/de/*")?;
    }
    if messages.exists() { Ok(()) } else { bail!("PostgreSQL's German messages are missing: {}", messages.display()) }
}

fn has_pooler() -> bool {
    let places = repository::path().into_iter().chain(["/usr/sbin".into()]);
    places.map(|place| place.join("pgbouncer")).any(|program| program.is_file())
}

fn has_locale() -> bool {
    Path::new(LOCALE).exists() && repository::find("localedef").is_some()
}

/// Returns `15` for `/usr/lib/postgresql/15/bin`, or `None` outside Debian's folder.
fn debian_version(programs: &Path) -> Option<&str> {
    programs.strip_prefix("/usr/lib/postgresql").ok()?.parent()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_where_debian_has_it() {
        assert_eq!(debian_version(Path::new("/usr/lib/postgresql/15/bin")), Some("15"));
        assert_eq!(debian_version(Path::new("/usr/pgsql-15/bin")), None);
    }
}
