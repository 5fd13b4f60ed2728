//! Tests cookie mode in a headless Chromium, behind a TLS proxy that cuts and delays responses. The checks are
//! in `xtask/browser/cookies.mjs`, which also describes `COOKIE_ROUNDS` and `COOKIE_SEED`. `COOKIE_DATABASE_URL` names an
//! empty database of PostgreSQL to use instead of SQLite.

use super::{service::Service, tools};
use anyhow::Result;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use xtask::repository::{root, run};

pub(crate) fn check() -> Result<()> {
    let (modules, chromium) = (tools::node()?, tools::chromium()?);
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let public_url = format!("https://app.example.test:{}", proxy.port());
    let mut settings = vec![("COOKIE_MODE", "on"), ("REFRESH_GRACE_SECONDS", "1"), ("PUBLIC_URL", &public_url)];
    let database = std::env::var("COOKIE_DATABASE_URL").ok();
    settings.extend(database.as_deref().map(|url| ("DATABASE_URL", url)));
    let service = Service::start_with("cookies", &settings)?;
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|name| service.folder.join(name));
    tools::certificate("app.example.test", &key, &certificate)?;
    let mut tabs = Command::new("node");
    tabs.arg(root().join("xtask/browser/cookies.mjs")).args([&service.url(), &public_url]);
    tabs.arg(key).arg(certificate).env("NODE_MODULES", modules).env("CHROMIUM", chromium);
    run("cookie mode in the browser", &mut tabs)
}
