//! Signs people in with OpenID providers that are not ours, in a headless Chromium: `oidc-provider` (node),
//! `oidc-provider-mock` and `canaille` (Python), and LemonLDAP::NG (Perl). GitHub, Apple and Microsoft are stubs. The checks are in
//! `xtask/browser/providers.mjs`.

use super::{service::Service, tools};
use anyhow::{Result, ensure};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use xtask::install::apt;
use xtask::repository::{root, run};

pub(crate) fn check() -> Result<()> {
    let (modules, chromium, python) = (tools::node()?, tools::chromium()?, tools::python()?);
    install_lemonldap()?;
    let [app, oidc, mock, stubs, canaille, lemonldap, unused] = free_ports()?;
    let key = tools::scratch("external/apple")?.join("key.pem");
    create_key(&key)?;
    let mut settings = vec![
        (
            "PROVIDERS".to_owned(),
            "query,posted,mock,untrusted,github,apple,microsoft,canaille,lemonldap,unreachable".to_owned(),
        ),
        ("PROVIDER_PRIVATE_ADDRESSES".to_owned(), "true".to_owned()),
        ("PROVIDER_POSTED_RESPONSE_MODE".to_owned(), "form_post".to_owned()),
        ("PROVIDER_APPLE_TEAM_ID".to_owned(), "TEAM123".to_owned()),
        ("PROVIDER_APPLE_KEY_ID".to_owned(), "KEY123".to_owned()),
        ("PROVIDER_APPLE_PRIVATE_KEY_FILE".to_owned(), key.display().to_string()),
        ("PROVIDER_MICROSOFT_TENANTS".to_owned(), "*".to_owned()),
        ("REDIRECT_URIS".to_owned(), format!("http://127.0.0.1:{app}/callback")),
    ];
    let issuers = [
        ("query", oidc, ""),
        ("posted", oidc, ""),
        ("mock", mock, ""),
        ("untrusted", mock, ""),
        ("github", stubs, "/github"),
        ("apple", stubs, "/apple"),
        ("microsoft", stubs, "/microsoft/common/v2.0"),
        ("canaille", canaille, ""),
        ("lemonldap", lemonldap, ""),
        ("unreachable", unused, ""),
    ];
    for (name, port, path) in issuers {
        let trust = if name == "untrusted" { "never" } else { "verified" };
        // Canaille and LemonLDAP::NG do not decode the secret (RFC 6749 §2.3.1), so theirs has no space.
        let space = if matches!(name, "canaille" | "lemonldap") { "-" } else { " " };
        let values = [
            ("ISSUER", format!("http://localhost:{port}{path}")),
            ("CLIENT_ID", name.to_owned()),
            ("TRUST_EMAIL", trust.to_owned()),
            ("CLIENT_SECRET", ["secret", "of", name].join(space)),
        ];
        let full = |setting| format!("PROVIDER_{}_{setting}", name.to_uppercase());
        // Apple's secret is signed with the key.
        let values = values.into_iter().filter(|(setting, _)| name != "apple" || *setting != "CLIENT_SECRET");
        settings.extend(values.map(|(setting, value)| (full(setting), value)));
    }
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let service = Service::start_with("providers", &settings)?;
    let mut people = Command::new("node");
    people.arg(root().join("xtask/browser/providers.mjs")).arg(service.url());
    people.args([app, oidc, mock, stubs, canaille, lemonldap].map(|port| port.to_string()));
    people.arg(python).arg(key);
    people.env("NODE_MODULES", modules).env("CHROMIUM", chromium);
    run("sign-in with providers in the browser", &mut people)
}

/// Installs the portal of LemonLDAP::NG with what its OpenID Connect needs, if it is missing. Its recommended packages
/// would bring a web server.
fn install_lemonldap() -> Result<()> {
    const PORTAL: &str = "liblemonldap-ng-portal-perl";
    const NEEDED: [&str; 14] = [
        PORTAL,
        "libplack-perl",
        "libcrypt-openssl-rsa-perl",
        "libcrypt-openssl-x509-perl",
        "libcrypt-openssl-bignum-perl",
        "libstring-random-perl",
        "libio-string-perl",
        "libgd-perl",
        "libgd-securityimage-perl",
        "libimage-magick-perl",
        "libconvert-base32-perl",
        "libipc-run-perl",
        "libmime-tools-perl",
        "libunicode-string-perl",
    ];
    let is_there = || {
        let mut perl = Command::new("perl");
        perl.args(["-MLemonldap::NG::Portal::Issuer::OpenIDConnect", "-MPlack", "-MGD", "-MImage::Magick", "-e1"]);
        perl.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    if !is_there() && apt::available() {
        NEEDED.into_iter().try_for_each(apt::install_without_start)?;
    }
    ensure!(is_there(), "LemonLDAP::NG is needed: install your system's packages {}", NEEDED.join(" "));
    Ok(())
}

/// Creates the key that signs the client secrets for Apple.
fn create_key(file: &Path) -> Result<()> {
    tools::program("openssl", "openssl")?;
    let mut openssl = Command::new("openssl");
    openssl.args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"]).arg(file);
    run("openssl genpkey", openssl.stderr(Stdio::null()))
}

/// Returns ports on which nothing listens.
fn free_ports() -> Result<[u16; 7]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners = [bind()?, bind()?, bind()?, bind()?, bind()?, bind()?, bind()?];
    let [a, b, c, d, e, f, g] = listeners.map(|listener| listener.local_addr().map(|address| address.port()));
    Ok([a?, b?, c?, d?, e?, f?, g?])
}
