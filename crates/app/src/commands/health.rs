//! `portcullis health`: asks a running service for its health, for `HEALTHCHECK` of a container and for probes.
//! Reads only the address of the service from the settings.

use super::UsageError;
use super::console::escape_for_terminal;
use crate::settings::Server;
use anyhow::{Context, bail};
use clap::Args;
use portcullis_ports::{OutboundHttp, OutboundRequest};
use portcullis_ureq::{AddressPolicy, UreqHttp};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Maximum length of the printed response, in characters.
const MAX_PRINTED: usize = 1000;

/// Arguments of `portcullis health`.
#[derive(Args)]
pub(crate) struct HealthArgs {
    /// Ask whether the service is ready, which depends on its database
    #[arg(long)]
    ready: bool,
    /// URL of the service [default: HOST and PORT on this machine]
    #[arg(long)]
    url: Option<String>,
}

/// Prints the response of the service. Fails unless it is 200, after 5 s at the latest.
pub(crate) fn health(args: &HealthArgs) -> anyhow::Result<()> {
    let service = match &args.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => own_url(&Server::read(&super::sources()?)?)?,
    };
    let url = format!("{service}{}", if args.ready { "/health/ready" } else { "/health" });
    let client = UreqHttp::new(AddressPolicy::unrestricted());
    let reply = client.call(&OutboundRequest::get(&url)).with_context(|| url.clone())?;
    let body: String = String::from_utf8_lossy(&reply.body).trim().chars().take(MAX_PRINTED).collect();
    let line = format!("{url}: {} {}", reply.status, escape_for_terminal(&body));
    if reply.status != 200 {
        bail!(line);
    }
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// Returns the URL at which the service of these settings is reached from this machine.
fn own_url(server: &Server) -> Result<String, UsageError> {
    if server.port == 0 {
        return Err(UsageError("PORT is 0, so the port is not known: use --url"));
    }
    let host = match server.host.parse() {
        Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => Ipv4Addr::LOCALHOST.to_string(),
        Ok(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => format!("[{}]", Ipv6Addr::LOCALHOST),
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        Ok(IpAddr::V4(_)) | Err(_) => server.host.clone(),
    };
    Ok(format!("http://{host}:{}", server.port))
}
