//! Reads the PROXY protocol's header, versions 1 and 2, which a trusted proxy sends before the first request. It
//! names the client, so only trusted proxies may send it, and these must.

use crate::limits::TrustedProxies;
use ppp::{v1, v2};
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::Once;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// Maximum time until the header has arrived.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Start of version 2, which is shorter than any header of version 1.
const V2: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Maximum length of version 1, by its specification.
const MAX_V1: usize = 107;
/// Maximum length of what follows the first 16 bytes of version 2. The addresses take up to 216.
const MAX_V2: usize = 512;

/// Returns the client of a new connection: the address in the header if the peer is a trusted proxy, otherwise the
/// peer, without reading a header.
///
/// # Errors
/// Fails if a trusted proxy sends no valid header in time. The connection is closed then.
pub(crate) async fn client(
    stream: &mut (impl AsyncRead + Unpin),
    peer: Option<SocketAddr>,
    proxies: &TrustedProxies,
) -> Result<Option<SocketAddr>> {
    if !peer.is_some_and(|peer| proxies.contains(peer.ip())) {
        return Ok(peer);
    }
    let source = timeout(TIMEOUT, source(stream)).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
    if source.as_ref().is_err_and(|error| error.kind() == ErrorKind::InvalidData) {
        warn_once();
    }
    Ok(source?.or(peer))
}

/// Reads the header, and no byte more. Returns `None` for a connection of the proxy itself, such as a health check.
async fn source(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>> {
    let mut header = vec![0; V2.len()];
    stream.read_exact(&mut header).await?;
    if header == V2 {
        let mut rest = [0; 4];
        stream.read_exact(&mut rest).await?;
        let [_, _, high, low] = rest;
        header.extend(rest);
        let (start, length) = (header.len(), usize::from(u16::from_be_bytes([high, low])));
        if length > MAX_V2 {
            return Err(invalid());
        }
        header.resize(start.saturating_add(length), 0);
        stream.read_exact(header.get_mut(start..).unwrap_or_default()).await?;
        return of_v2(&header);
    }
    if !header.starts_with(b"PROXY ") {
        return Err(invalid());
    }
    while header.last() != Some(&b'\n') {
        if header.len() >= MAX_V1 {
            return Err(invalid());
        }
        header.push(stream.read_u8().await?);
    }
    match v1::Header::try_from(header.as_slice()).map_err(|_| invalid())?.addresses {
        v1::Addresses::Tcp4(ip) => Ok(Some((ip.source_address, ip.source_port).into())),
        v1::Addresses::Tcp6(ip) => Ok(Some((ip.source_address, ip.source_port).into())),
        v1::Addresses::Unknown => Ok(None),
    }
}

fn of_v2(header: &[u8]) -> Result<Option<SocketAddr>> {
    let header = v2::Header::try_from(header).map_err(|_| invalid())?;
    match (header.command, header.protocol, &header.addresses) {
        (v2::Command::Local, _, _) | (_, _, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => Ok(None),
        (_, v2::Protocol::Stream, v2::Addresses::IPv4(ip)) => Ok(Some((ip.source_address, ip.source_port).into())),
        (_, v2::Protocol::Stream, v2::Addresses::IPv6(ip)) => Ok(Some((ip.source_address, ip.source_port).into())),
        _ => Err(invalid()),
    }
}

fn invalid() -> Error {
    ErrorKind::InvalidData.into()
}

/// Warns about a proxy that does not use the protocol: all its connections are closed.
fn warn_once() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        tracing::warn!(
            target: "app",
            "A trusted proxy sent no valid PROXY header, and its connection was closed: see PROXY_PROTOCOL",
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::time::Instant;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

    fn v2(kind: [u8; 2], addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [V2.as_slice(), &kind, &length, addresses].concat()
    }

    /// Sends a header and a request from this peer. Returns the client, and checks that the request is left.
    async fn client_of(header: &[u8], peer: &str) -> Result<String> {
        let (mut proxy, mut stream) = tokio::io::duplex(4096);
        proxy.write_all(&[header, REQUEST].concat()).await.unwrap();
        let peer = SocketAddr::new(peer.parse().unwrap(), 9);
        let client = client(&mut stream, Some(peer), &"10.0.0.0/8".parse().unwrap()).await?;
        drop(proxy);
        let mut left = Vec::new();
        stream.read_to_end(&mut left).await.unwrap();
        let expected = if peer.ip().to_string().starts_with("10.") { REQUEST.len() } else { left.len() };
        assert_eq!(left.len(), expected);
        Ok(client.unwrap().to_string())
    }

    #[actix_web::test]
    async fn the_client_of_a_trusted_proxy_is_read() {
        let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1], &[0; 16], &[0, 7, 0, 1]].concat();
        let with_more = [&[192, 0, 2, 9, 10, 0, 0, 1, 0, 7, 0, 1][..], &[4, 0, 1, 0]].concat();
        for (header, client) in [
            (b"PROXY TCP4 192.0.2.9 10.0.0.1 7 1\r\n".to_vec(), "192.0.2.9:7"),
            (b"PROXY TCP6 2001:db8::1 ::1 7 1\r\n".to_vec(), "[2001:db8::1]:7"),
            (b"PROXY UNKNOWN\r\n".to_vec(), "10.0.0.2:9"),
            (v2([0x21, 0x11], &with_more), "192.0.2.9:7"),
            (v2([0x21, 0x21], &v6), "[2001:db8::1]:7"),
            (v2([0x20, 0], &[]), "10.0.0.2:9"),
        ] {
            assert_eq!(client_of(&header, "10.0.0.2").await.unwrap(), client);
        }
    }

    #[actix_web::test]
    async fn no_header_is_read_from_others() {
        let header = b"PROXY TCP4 198.51.100.1 10.0.0.1 7 1\r\n";
        assert_eq!(client_of(header, "192.0.2.1").await.unwrap(), "192.0.2.1:9");
    }

    #[actix_web::test]
    async fn what_is_no_header_is_refused() {
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 100], b"\r\n"].concat();
        let datagram = v2([0x21, 0x12], &[192, 0, 2, 9, 10, 0, 0, 1, 0, 7, 0, 1]);
        let oversized = v2([0x21, 0x11], &[0; MAX_V2 + 1]);
        let foreign = v2([0x31, 0x11], &[0; 12]);
        for header in [b"".as_slice(), b"PROXY TCP4 x y 1 2\r\n", &long, &datagram, &oversized, &foreign] {
            let refused = client_of(header, "10.0.0.2").await.map_err(|error| error.kind());
            assert_eq!(refused, Err(ErrorKind::InvalidData), "{header:?}");
        }
    }

    #[actix_web::test]
    async fn a_slow_header_is_refused() {
        tokio::time::pause();
        let (mut proxy, mut stream) = tokio::io::duplex(64);
        proxy.write_all(b"PROXY TCP4 192.0").await.unwrap();
        let start = Instant::now();
        let peer = Some("10.0.0.2:9".parse().unwrap());
        let refused = client(&mut stream, peer, &"10.0.0.0/8".parse().unwrap()).await;
        assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        assert!(start.elapsed() < TIMEOUT + Duration::from_millis(10), "{:?}", start.elapsed());
    }
}
