//! Resolver that returns only addresses that calls may go to. The connection uses these addresses without a
//! second lookup, so a name that changes its address in between gains nothing (DNS rebinding).

use crate::policy::AddressPolicy;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout};
use url::Url;

/// Function that looks up `host:port`. Blocks.
pub(crate) type Lookup = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// Looks up `host:port` with the system's resolver.
pub(crate) fn system_lookup(place: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(place.to_socket_addrs()?.collect())
}

/// Resolver with the rules for addresses.
#[derive(Debug)]
pub(crate) struct GuardedResolver {
    pub(crate) policy: AddressPolicy,
    pub(crate) lookup: Lookup,
}

/// Error if a host has addresses, and none of them is allowed.
#[derive(Debug)]
pub(crate) struct AddressRefused;

impl std::error::Error for AddressRefused {}

impl std::fmt::Display for AddressRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the host has only private or reserved addresses")
    }
}

impl Resolver for GuardedResolver {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let url = Url::parse(&uri.to_string()).map_err(|_| Error::HostNotFound)?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(Error::HostNotFound);
        };
        let found = self.look_up(format!("{host}:{port}"), timeout)?;
        let mut allowed = self.empty();
        for address in found.iter().filter(|address| self.policy.allows(&url, address.ip())).take(MAX_ADDRESSES) {
            allowed.push(*address);
        }
        match (found.is_empty(), allowed.is_empty()) {
            (true, _) => Err(Error::HostNotFound),
            (_, true) => Err(Error::Other(Box::new(AddressRefused))),
            _ => Ok(allowed),
        }
    }
}

/// Maximum number of addresses to try. The library panics past 16.
const MAX_ADDRESSES: usize = 8;

impl GuardedResolver {
    /// Looks up on another thread: the system's resolver has no timeout.
    fn look_up(&self, place: String, timeout: NextTimeout) -> Result<Vec<SocketAddr>, Error> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let lookup = self.lookup;
        let job = move || sender.send(lookup(&place)).unwrap_or_default();
        thread::Builder::new().name("resolver".to_owned()).spawn(job)?;
        let found = receiver.recv_timeout(*timeout.after).map_err(|_| Error::Timeout(Timeout::Resolve))?;
        found.map_err(|_| Error::HostNotFound)
    }
}
