//! Tests the alert rules in `docs/alerts.yml` with Prometheus's own `promtool`.

use super::tools;
use anyhow::{Result, ensure};
use std::fs;
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
    promtool("test", "docs/alerts.test.yml")?;
    let [rules, tests] = ["docs/alerts.yml", "docs/alerts.test.yml"].map(|file| fs::read_to_string(root().join(file)));
    let untested = untested(&rules?, &tests?);
    ensure!(untested.is_empty(), "no case in docs/alerts.test.yml fires {}", untested.join(", "));
    Ok(())
}

/// Returns the alerts that no test expects to fire. `promtool` itself ignores them.
fn untested(rules: &str, tests: &str) -> Vec<String> {
    let names = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let fires = |name: &str| tests.contains(&format!("{{alertname=\"{name}\"}}"));
    names.filter(|name| !fires(name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::untested;

    #[test]
    fn an_alert_without_a_case_is_found() {
        let rules = "  - alert: One\n    expr: up\n  - alert: OneMore\n";
        assert_eq!(untested(rules, "labels: '{alertname=\"OneMore\"}'"), ["One"]);
    }
}
