//! Tests the account pages in a headless Chromium: from sign-up to deletion in every language, in several sizes and
//! colors, and once without scripts. The checks are in `xtask/browser/account_pages.mjs`, the pictures in `target/pages`.

use super::{service::Service, tools};
use anyhow::Result;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use xtask::repository::{root, run};

const STYLE: &str = ":root { --accent: #660033; --on-accent: #ffffff; }";
const LOGO: &str =
    r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 30"><path fill="#660033" d="M0 0h120v30H0z"/></svg>"##;

pub(crate) fn check() -> Result<()> {
    let (modules, chromium) = (tools::node()?, tools::chromium()?);
    let pictures = tools::scratch("pages")?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    // Another site than the service, which is on `localhost`: browsers make no passkeys for IP addresses.
    let issuer = format!("http://127.0.0.1:{port}");
    let service = Service::start_at(
        "localhost",
        "pages",
        &[
            ("MFA_TRUST_DAYS", "30"),
            ("PROVIDERS", "corp"),
            ("PROVIDER_PRIVATE_ADDRESSES", "true"),
            ("PROVIDER_CORP_ISSUER", &issuer),
            ("PROVIDER_CORP_CLIENT_ID", "corp"),
            ("PROVIDER_CORP_CLIENT_SECRET", "secret of corp"),
        ],
    )?;
    let folder = tools::scratch("external/brand")?;
    let (style, logo) = (folder.join("brand.css"), folder.join("logo.svg"));
    fs::write(&style, STYLE)?;
    fs::write(&logo, LOGO)?;
    let (style, logo) = (style.display().to_string(), logo.display().to_string());
    let branded = [("MFA_REQUIRED", "true"), ("PAGE_STYLE", &*style), ("PAGE_LOGO", &*logo)];
    let strict = Service::start_with("pages-branded", &branded)?;
    let mut people = Command::new("node");
    people.arg(root().join("xtask/browser/account_pages.mjs")).args([service.url(), strict.url()]);
    people.arg(&pictures).arg(service.folder.join("outbox")).arg(&issuer);
    people.env("NODE_MODULES", modules).env("CHROMIUM", chromium);
    run("the account pages in the browser", &mut people)
}
