//! Finds what tests of PostgreSQL need besides its server, or installs it: a pooler, the sources of
//! locales, and the server's German messages.

use crate::{apt, repository};
use anyhow::{Result, bail};
use std::path::Path;

/// Files that Debian's packages bring.
const LOCALE: &str = "/usr/share/i18n/locales/de_DE";
const MESSAGES: &str = "/usr/share/locale/de/LC_MESSAGES";

/// Makes sure that all of it is there.
pub(crate) fn prepare(programs: &Path) -> Result<()> {
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
        bail!("the sources of locales are needed for the tests: install `locales`, or glibc's own, with `localedef`");
    }
    // Elsewhere than on Debian the tests look for themselves.
    let Some(version) = debian_version(programs) else { return Ok(()) };
    let messages = Path::new(MESSAGES).join(format!("postgres-{version}.mo"));
    if !messages.exists() && apt::available() {
        apt::install_again_with(&format!("postgresql-{version}"), "/usr/share/locale/de/*")?;
    }
    if messages.exists() { Ok(()) } else { bail!("PostgreSQL's German messages are needed: {}", messages.display()) }
}

fn has_pooler() -> bool {
    let places = repository::path().into_iter().chain(["/usr/sbin".into()]);
    places.map(|place| place.join("pgbouncer")).any(|program| program.is_file())
}

fn has_locale() -> bool {
    Path::new(LOCALE).exists() && repository::find("localedef").is_some()
}

/// 15 for `/usr/lib/postgresql/15/bin`.
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
