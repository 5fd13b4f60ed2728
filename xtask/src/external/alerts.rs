//! Tests the alert rules in `docs/alerts.yml` with Prometheus's own `promtool`.

use super::tools;
use anyhow::Result;
use std::process::Command;
use xtask::install::apt;
use xtask::repository::{find, root, run};

pub(crate) fn check() -> Result<()> {
    if find("promtool").is_none() && apt::available() {
        apt::install_without_start("prometheus")?;
    }
    tools::program("promtool", "prometheus")?;
    let promtool = |what, file| {
        run(&format!("promtool {what} rules"), Command::new("promtool").args([what, "rules", file]).current_dir(root()))
    };
    promtool("check", "docs/alerts.yml")?;
    promtool("test", "docs/alerts.test.yml")
}
