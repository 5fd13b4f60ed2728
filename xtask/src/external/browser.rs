//! Tests the service's pages in a headless Chromium without other network access. The checks are in
//! `xtask/browser`, the screenshots in `target/screenshots`.

use super::{service::Service, tools};
use anyhow::Result;
use std::process::Command;
use xtask::repository::{root, run};

pub(crate) fn check() -> Result<()> {
    let (modules, chromium) = (tools::node()?, tools::chromium()?);
    let screenshots = tools::scratch("screenshots")?;
    let service = Service::start("browser")?;
    let mut pages = Command::new("node");
    pages.arg(root().join("xtask/browser/pages.mjs")).arg(service.url()).arg(&screenshots);
    pages.arg(service.folder.join("outbox"));
    pages.env("NODE_MODULES", modules).env("CHROMIUM", chromium);
    run("the pages in the browser", &mut pages)
}
