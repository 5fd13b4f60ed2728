//! Checks the settings and the keys that they name.

use super::super::sources;
use super::Finding;
use crate::settings::{Settings, Warning, is_loopback};

const CHECK: &str = "settings";

/// Reads the settings and lists weak ones. Returns `None` and an error if one is invalid.
pub(super) fn examine() -> (Option<Settings>, Vec<Finding>) {
    let advice = "fix this setting; `portcullis config print` lists all of them";
    let read = sources().and_then(|sources| Ok((Settings::read(&sources)?, sources)));
    let (settings, sources) = match read {
        Ok(read) => read,
        Err(error) => return (None, vec![Finding::error(CHECK, format!("{error:#}"), advice)]),
    };
    let warnings = settings.warnings.iter().cloned();
    let mut findings: Vec<_> = warnings.map(|Warning { what, advice }| Finding::warning(CHECK, what, advice)).collect();
    findings.extend(sources.world_readable_files().into_iter().map(|name| {
        let what = format!("{name} names a file that every user of this machine can read");
        Finding::warning("keys", what, Warning::CHMOD)
    }));
    findings.extend(weak(&settings));
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "all settings are valid"));
    }
    (Some(settings), findings)
}

fn weak(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if settings.server.debug {
        let what = "DEBUG is on: weak settings are allowed, and every SQL statement is logged";
        findings.push(Finding::warning(CHECK, what, "unset DEBUG in production"));
    }
    if settings.limits.rules.is_none() {
        let what = "RATE_LIMIT_ENABLED is off: passwords can be guessed at any rate";
        findings.push(Finding::warning(CHECK, what, "unset it, unless another component limits logins"));
    }
    let host = settings.server.host.as_str();
    if !is_loopback(host) && settings.limits.proxies.is_empty() {
        let what = format!("HOST is {host}, but TRUSTED_PROXIES names no proxy");
        let advice = "put a TLS proxy in front and list it: without TLS, passwords are sent unencrypted, and behind \
                      an unlisted proxy all clients count as one source for the limits";
        findings.push(Finding::warning(CHECK, what, advice));
    }
    findings
}

/// Lists the keys in use. Reading the settings has validated them.
pub(super) fn keys(settings: &Settings) -> Vec<Finding> {
    let algorithm = settings.tokens.algorithm;
    let public = settings.keys.verifier.public_keys();
    if algorithm.is_symmetric() {
        let what = format!("{} signs with SECRET_KEY; public keys that verify: {}", algorithm.as_str(), public.len());
        return vec![Finding::ok("keys", what)];
    }
    let mut kids = public.iter().map(|key| key.id.as_str());
    let current = kids.next().unwrap_or("none");
    let previous: Vec<_> = kids.collect();
    let previous = if previous.is_empty() { String::new() } else { format!("; previous: {}", previous.join(", ")) };
    vec![Finding::ok("keys", format!("{} signs with the key {current}{previous}", algorithm.as_str()))]
}
