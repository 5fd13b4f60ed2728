//! Runs Schemathesis against the service: valid and invalid requests generated from the API document,
//! with all its checks.

use super::{service::Service, tools};
use anyhow::{Context, Result, ensure};
use std::process::Command;
use xtask::repository::{root, run};

const ACCOUNT: &str = r#"{"email":"schemathesis@example.com","password":"correct horse battery"}"#;

pub(crate) fn check() -> Result<()> {
    let program = tools::python()?.join("schemathesis");
    let service = Service::start("schemathesis")?;
    let mut tests = Command::new(program);
    tests.arg("--no-color").arg("--config-file").arg(root().join("xtask/schemathesis.toml"));
    tests.arg("run").arg(format!("{}/openapi.json", service.url()));
    tests.arg("--header").arg(format!("Authorization: Bearer {}", access_token(&service)?));
    tests.args(["--max-examples", "200", "--request-timeout", "10"]);
    tests.args(["--generation-database", "none"]).current_dir(&service.folder);
    run("schemathesis", &mut tests)
}

/// Registers an account and returns its access token.
fn access_token(service: &Service) -> Result<String> {
    let (status, body) = service.call("POST", "/auth/register", ACCOUNT)?;
    ensure!(status == 201, "register: {status} {body}");
    let (status, body) = service.call("POST", "/auth/login", ACCOUNT)?;
    ensure!(status == 200, "login: {status} {body}");
    let pair: serde_json::Value = serde_json::from_str(&body)?;
    let token = pair.get("access_token").and_then(serde_json::Value::as_str);
    token.map(str::to_owned).context("login: no access_token")
}
