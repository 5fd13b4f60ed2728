//! Tests the files in `deploy`: the systemd unit by systemd-analyze, the files for containers by their schemas, and
//! the load balancers by restarting two replicas behind each of them under load, in
//! `xtask/deploy/rolling_restart.mjs`.

use super::tools;
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use xtask::repository::{portcullis, root, run};

/// Exposure that systemd-analyze may compute for the unit, in tenths.
const EXPOSURE: &str = "--threshold=15";

pub(crate) fn check() -> Result<()> {
    let binary = portcullis(false)?;
    let scratch = tools::scratch("external/deploy")?;
    tools::program("systemd-analyze", "systemd")?;
    let unit = scratch.join("portcullis.service");
    let shipped = fs::read_to_string(root().join("deploy/systemd/portcullis.service"))?;
    fs::write(&unit, shipped.replace("/usr/local/bin/portcullis", &binary.to_string_lossy()))?;
    run("systemd-analyze verify", Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit))?;
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--no-pager", "--offline=true", EXPOSURE]).arg(&unit).stdout(Stdio::null());
    run("systemd-analyze security", &mut security)?;

    validate(&scratch)?;

    for (program, package) in [("nginx", "nginx-light"), ("haproxy", "haproxy"), ("caddy", "caddy")] {
        tools::program(program, package)?;
    }
    let [key, certificate, both] = ["key.pem", "certificate.pem", "both.pem"].map(|name| scratch.join(name));
    tools::certificate("auth.example.org", &key, &certificate)?;
    fs::write(both, fs::read_to_string(key)? + &fs::read_to_string(certificate)?)?;
    let mut restarts = Command::new("node");
    restarts.arg(root().join("xtask/deploy/rolling_restart.mjs")).arg(binary).arg(root().join("deploy")).arg(scratch);
    run("rolling restarts", &mut restarts)
}

/// Validates the manifests, the Compose file and the configuration of Prometheus that it mounts.
fn validate(scratch: &Path) -> Result<()> {
    let (python, deploy) = (tools::python()?, root().join("deploy"));
    let mut manifests = Command::new(python.join("kubernetes-validate"));
    run("kubernetes-validate", manifests.arg("--strict").arg(deploy.join("kubernetes/portcullis.yaml")))?;
    let mut compose = Command::new(python.join("check-jsonschema"));
    compose.args(["--builtin-schema", "vendor.compose-spec"]).arg(deploy.join("compose.yaml"));
    run("check-jsonschema", &mut compose)?;
    tools::program("promtool", "prometheus")?;
    let configuration = scratch.join("prometheus.yml");
    fs::copy(deploy.join("prometheus/prometheus.yml"), &configuration)?;
    fs::copy(root().join("docs/alerts.yml"), scratch.join("alerts.yml"))?;
    run("promtool check config", Command::new("promtool").args(["check", "config"]).arg(configuration))
}
