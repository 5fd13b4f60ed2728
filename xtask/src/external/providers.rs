//! Signs people in with OpenID providers that are not ours, in a headless Chromium: `oidc-provider` (node) and
//! `oidc-provider-mock` (Python). The checks are in `xtask/browser/providers.mjs`.

use super::{service::Service, tools};
use anyhow::Result;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use xtask::repository::{root, run};

pub(crate) fn check() -> Result<()> {
    let (modules, chromium, python) = (tools::node()?, tools::chromium()?, tools::python()?);
    let [app, oidc, mock, unused] = free_ports()?;
    let mut settings = vec![
        ("PROVIDERS".to_owned(), "query,posted,mock,untrusted,unreachable".to_owned()),
        ("PROVIDER_PRIVATE_ADDRESSES".to_owned(), "true".to_owned()),
        ("PROVIDER_POSTED_RESPONSE_MODE".to_owned(), "form_post".to_owned()),
        ("REDIRECT_URIS".to_owned(), format!("http://127.0.0.1:{app}/callback")),
    ];
    let issuers = [("query", oidc), ("posted", oidc), ("mock", mock), ("untrusted", mock), ("unreachable", unused)];
    for (name, port) in issuers {
        let trust = if name == "untrusted" { "never" } else { "verified" };
        let values = [
            ("ISSUER", format!("http://localhost:{port}")),
            ("CLIENT_ID", name.to_owned()),
            ("CLIENT_SECRET", format!("secret of {name}")),
            ("TRUST_EMAIL", trust.to_owned()),
        ];
        let full = |setting| format!("PROVIDER_{}_{setting}", name.to_uppercase());
        settings.extend(values.map(|(setting, value)| (full(setting), value)));
    }
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let service = Service::start_with("providers", &settings)?;
    let mut people = Command::new("node");
    people.arg(root().join("xtask/browser/providers.mjs")).arg(service.url());
    people.args([app, oidc, mock].map(|port| port.to_string())).arg(python.join("oidc-provider-mock"));
    people.env("NODE_MODULES", modules).env("CHROMIUM", chromium);
    run("sign-in with providers in the browser", &mut people)
}

/// Returns ports on which nothing listens.
fn free_ports() -> Result<[u16; 4]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners = [bind()?, bind()?, bind()?, bind()?];
    let [app, oidc, mock, unused] = listeners.map(|listener| listener.local_addr().map(|address| address.port()));
    Ok([app?, oidc?, mock?, unused?])
}
