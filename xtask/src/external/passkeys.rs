//! Exchanges credentials with WebAuthn servers that are not ours: `fido2` (Python) and `@simplewebauthn/server`
//! (node). Both judge what the software authenticator creates; this service judges what `fido2` creates. Then Chromium
//! uses the account pages with a virtual authenticator (`xtask/browser/passkeys.mjs`, pictures in `target/passkeys`).

use super::{service::Service, tools};
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::repository::{cargo_debug, output, root, run};

pub(crate) fn check() -> Result<()> {
    let (python, modules) = (tools::python()?.join("python"), tools::node()?);
    let (folder, oracles) = (tools::scratch("passkeys")?, root().join("xtask/oracles"));
    let fido2 = oracles.join("fido2_server.py");
    let [ours, theirs] = ["ours.json", "theirs.json"].map(|name| folder.join(name));
    fs::write(&ours, output("our credentials", &mut example(None))?)?;
    fs::write(&theirs, output("credentials of fido2", Command::new(&python).arg(&fido2))?)?;
    run("our credentials at fido2", Command::new(&python).arg(&fido2).arg(&ours))?;
    for cases in [&ours, &theirs] {
        let mut node = Command::new("node");
        node.arg(oracles.join("simplewebauthn_server.mjs")).arg(cases).env("NODE_MODULES", &modules);
        run("credentials at @simplewebauthn/server", &mut node)?;
    }
    run("credentials of fido2 here", &mut example(Some(&theirs)))?;
    let service = Service::start_at("localhost", "passkeys", &[])?;
    let mut people = Command::new("node");
    people.arg(root().join("xtask/browser/passkeys.mjs")).arg(service.url()).arg(tools::scratch("passkeys/pages")?);
    people.env("NODE_MODULES", modules).env("CHROMIUM", tools::chromium()?);
    run("passkeys in the browser", &mut people)
}

fn example(cases: Option<&Path>) -> Command {
    let mut cargo = cargo_debug();
    cargo.args(["run", "--quiet", "--package", "portcullis-webauthn", "--example", "oracle", "--"]).args(cases);
    cargo
}
