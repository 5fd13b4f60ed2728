//! German messages for a server. Nothing is installed: the locale is compiled into a folder of the
//! tests.

use super::{Outcome, installation, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub(super) const LOCALE: &str = "de_DE.UTF-8";
/// Unprivileged role, which cannot change the language of messages.
pub(super) const ROLE: &str = "app";
pub(super) const NO_MESSAGES: &str = "this test needs PostgreSQL's German messages (postgres-*.mo below \
    /usr/share/locale/de): `cargo xtask test` installs them, or reinstall PostgreSQL's package with dpkg's \
    --path-include=/usr/share/locale/de/*";
const NO_SOURCES: &str =
    "this test needs the sources of locales: `cargo xtask test` installs them, or `apt-get install locales`";

/// Returns the folder of the compiled locale.
pub(super) fn folder() -> Outcome<&'static Path> {
    static COMPILED: OnceLock<Outcome<PathBuf>> = OnceLock::new();
    COMPILED.get_or_init(compile).as_deref().map_err(Clone::clone)
}

fn compile() -> Outcome<PathBuf> {
    let folder = installation().folder.join("locales");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut localedef = Command::new("localedef");
    localedef.args(["-i", "de_DE", "-f", "UTF-8", "--no-archive"]).arg(folder.join(LOCALE));
    // localedef exits with a nonzero status after a mere warning.
    let outcome = run(&mut localedef);
    let is_there = folder.join(LOCALE).join("LC_CTYPE").exists();
    if is_there { Ok(folder) } else { Err(format!("{NO_SOURCES}\n{}", outcome.err().unwrap_or_default())) }
}
