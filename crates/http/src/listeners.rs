//! Listening sockets: one for each IP address of a host name, all with the same port.

use rustix::io::Errno;
use std::io::{Error, ErrorKind, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, ToSocketAddrs};

/// Maximum attempts to find a free port, if another program uses it on the second address.
const TRIES: u32 = 8;

/// Binds every IP address of the host; for `localhost` both loopback addresses (RFC 6761 §6.3),
/// regardless of the hosts file.
pub(crate) fn bind((host, port): (&str, u16)) -> Result<Vec<TcpListener>> {
    let mut addresses: Vec<IpAddr> = if host.eq_ignore_ascii_case("localhost") {
        vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
    } else {
        (host, port).to_socket_addrs()?.map(|address| address.ip()).collect()
    };
    addresses.dedup();
    let mut tries = 0;
    loop {
        tries += 1;
        match bind_all(&addresses, port) {
            Err(error) if port == 0 && tries < TRIES && error.kind() == ErrorKind::AddrInUse => {}
            outcome => return outcome,
        }
    }
}

/// Binds the addresses, except those this machine does not have. Fails if none is left.
fn bind_all(addresses: &[IpAddr], port: u16) -> Result<Vec<TcpListener>> {
    let (mut listeners, mut port) = (Vec::new(), port);
    let mut absent = Error::from(ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpListener::bind((*address, port)) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            Err(error) if is_absent(&error) => absent = error,
            Err(error) => return Err(error),
        }
    }
    if listeners.is_empty() { Err(absent) } else { Ok(listeners) }
}

/// Returns whether the machine lacks the address, or IPv6.
fn is_absent(error: &Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable || Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(host: &str, port: u16) -> Result<Vec<String>> {
        Ok(bind((host, port))?.iter().map(|listener| listener.local_addr().unwrap().ip().to_string()).collect())
    }

    #[test]
    fn localhost_is_both_loopback_addresses_with_one_port() {
        let listeners = bind(("LocalHost", 0)).unwrap();
        let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        assert!(addresses.iter().all(|address| address.port() == addresses[0].port()), "{addresses:?}");
        let ips: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
        let has_v6 = TcpListener::bind("[::1]:0").is_ok();
        assert_eq!(ips, if has_v6 { vec!["127.0.0.1", "::1"] } else { vec!["127.0.0.1"] });
    }

    #[test]
    fn an_address_of_another_machine_is_passed_over_but_not_alone() {
        assert_eq!(bound("127.0.0.1", 0).unwrap(), ["127.0.0.1"]);
        let (ours, others) = (Ipv4Addr::LOCALHOST.into(), "192.0.2.1".parse().unwrap());
        assert_eq!(bind_all(&[others, ours], 0).unwrap().len(), 1);
        assert_eq!(bind_all(&[others], 0).unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn a_taken_port_is_an_error_on_any_address() {
        let taken = TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_eq!(bound("localhost", port).unwrap_err().kind(), ErrorKind::AddrInUse);
    }
}
