//! Calls to local servers that misbehave.

#![expect(
    clippy::disallowed_methods,
    reason = "time limits of sockets follow the real clock, and a process cannot change its environment"
)]

use super::*;
use native_tls::{Identity, TlsAcceptor};
use portcullis_testkit::smtp::{Authority, Issued};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::time::Instant;
use std::{fs, io, thread};

/// Total of calls that end by it.
const SHORT: Duration = Duration::from_millis(300);
/// Time within which a call of `SHORT` returns on a busy machine.
const SOON: Duration = Duration::from_secs(3);

/// Starts a server that handles each connection by this function. Returns its port.
fn serve(mut handle: impl FnMut(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(|socket| handle(socket.unwrap())));
    port
}

/// Starts a server that sends these bytes once it has read a request. Returns its port and the requests.
fn reply(bytes: impl Into<Vec<u8>>) -> (u16, mpsc::Receiver<String>) {
    let ((sender, requests), bytes) = (mpsc::channel(), bytes.into());
    let port = serve(move |mut socket| {
        sender.send(read_request(&mut socket)).ok();
        socket.write_all(&bytes).ok();
    });
    (port, requests)
}

/// Reads a request with its body.
fn read_request(socket: &mut impl Read) -> String {
    let mut reader = BufReader::new(socket);
    let (mut request, mut length) = (String::new(), 0);
    while !request.ends_with("\r\n\r\n") && reader.read_line(&mut request).unwrap_or_default() > 0 {
        let line = request.lines().last().unwrap_or_default().to_ascii_lowercase();
        length = line.strip_prefix("content-length: ").map_or(length, |length| length.parse().unwrap());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok();
    request + &String::from_utf8(body).unwrap()
}

fn client(total: Duration) -> UreqHttp {
    UreqHttp::with(AddressPolicy::new(true), total, system_lookup)
}

fn get(port: u16, total: Duration) -> Result<OutboundResponse, OutboundError> {
    client(total).call(&OutboundRequest::get(&format!("http://127.0.0.1:{port}/a?code=marker")))
}

fn unavailable(what: &str) -> OutboundError {
    OutboundError::Unavailable(what.to_owned())
}

/// Asserts that a call to this server ends by its total.
fn assert_timeout(handle: impl FnMut(TcpStream) + Send + 'static) {
    let began = Instant::now();
    assert_eq!(get(serve(handle), SHORT), Err(unavailable("no complete response in time")));
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[test]
fn requests_and_responses_are_exact() {
    let (port, requests) =
        reply("HTTP/1.1 201 X\r\nDate: Mon, 01 Jan 2035 00:00:00 GMT\r\nContent-Length: 2\r\n\r\n{}");
    let url = format!("http://127.0.0.1:{port}/a?b=c%20d#e");
    let response = client(TOTAL).call(&OutboundRequest::get(&url).header("Authorization", "Bearer x")).unwrap();
    let date = Some("Mon, 01 Jan 2035 00:00:00 GMT".to_owned());
    assert_eq!(response, OutboundResponse { status: 201, date, body: b"{}".to_vec() });
    let request = requests.recv().unwrap();
    assert!(request.starts_with("GET /a?b=c%20d HTTP/1.1\r\n") && request.contains("\r\nauthorization: Bearer x\r\n"));
    assert!(request.contains(&format!("\r\nuser-agent: {USER_AGENT}\r\n")), "{request}");
    assert!(!request.contains("cookie:") && !request.contains("accept-encoding: gzip"), "{request}");
    let form = vec![("grant_type", "authorization_code".to_owned()), ("code", "a b&c=d+\u{e9}".to_owned())];
    client(TOTAL).call(&OutboundRequest::post(&url, form)).unwrap();
    let request = requests.recv().unwrap();
    assert!(request.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{request}");
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    let pairs: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).map(|(_, value)| value.into_owned()).collect();
    assert_eq!(pairs, ["authorization_code", "a b&c=d+\u{e9}"]);
}

#[test]
fn redirects_are_returned_and_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (port, requests) =
            reply(format!("HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(get(port, TOTAL).unwrap().status, status);
        let post = OutboundRequest::post(&format!("http://127.0.0.1:{port}/"), vec![("a", "b".to_owned())]);
        assert_eq!(client(TOTAL).call(&post).unwrap().status, status);
        assert_eq!(requests.try_iter().count(), 2);
    }
}

#[test]
fn bodies_end_at_256_kib() {
    let body = |length: usize| {
        [format!("HTTP/1.1 200 X\r\nContent-Length: {length}\r\n\r\n").into_bytes(), vec![b'x'; length]]
    };
    let limit = usize::try_from(MAX_BODY).unwrap();
    assert_eq!(get(reply(body(limit).concat()).0, TOTAL).unwrap().body.len(), limit);
    assert_eq!(get(reply(body(limit + 1).concat()).0, TOTAL), Err(OutboundError::TooLarge));
    assert_eq!(get(reply(body(10 << 20).concat()).0, TOTAL), Err(OutboundError::TooLarge));
    let endless = serve(|mut socket| {
        read_request(&mut socket);
        socket.write_all(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n").ok();
        while socket.write_all(b"1000\r\n").and_then(|()| socket.write_all(&[b'x'; 0x1000])).is_ok() {
            socket.write_all(b"\r\n").ok();
        }
    });
    assert_eq!(get(endless, TOTAL), Err(OutboundError::TooLarge));
}

#[test]
fn slow_servers_end_by_the_total() {
    assert_timeout(|socket| {
        thread::spawn(move || io::copy(&mut &socket, &mut io::sink()));
    });
    let drip = |head: &'static [u8], piece: &'static [u8]| {
        move |mut socket: TcpStream| {
            thread::spawn(move || {
                read_request(&mut socket);
                socket.write_all(head).ok();
                while socket.write_all(piece).is_ok() {
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
    };
    assert_timeout(drip(b"HTTP/1.1 200 X\r\n", b"A: b\r\n"));
    assert_timeout(drip(b"HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n", b"x"));
    assert_timeout(drip(b"", b"HTTP/1.1 103 X\r\n\r\n"));
    assert_timeout(drip(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"));
}

#[test]
fn a_slow_tls_handshake_ends_by_the_total() {
    let port = serve(|socket| {
        thread::spawn(move || io::copy(&mut &socket, &mut io::sink()));
    });
    let began = Instant::now();
    let result = client(SHORT).call(&OutboundRequest::get(&format!("https://127.0.0.1:{port}/")));
    assert_eq!(result, Err(unavailable("no complete response in time")));
    assert!(began.elapsed() < SOON);
}

#[test]
fn a_hanging_resolver_ends_by_the_total() {
    let hang = |_: &str| -> io::Result<Vec<SocketAddr>> {
        thread::sleep(Duration::from_secs(60));
        Ok(Vec::new())
    };
    let began = Instant::now();
    let http = UreqHttp::with(AddressPolicy::default(), SHORT, hang);
    let result = http.call(&OutboundRequest::get("https://a.example/"));
    assert_eq!(result, Err(unavailable("no complete response in time")));
    assert!(began.elapsed() < SOON);
}

#[test]
fn broken_responses_are_unavailable_without_their_text() {
    let endless = serve(|mut socket| {
        read_request(&mut socket);
        socket.write_all(b"HTTP/1.1 200 X\r\n").ok();
        while socket.write_all(b"Marker: marker\r\n").is_ok() {}
    });
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for port in [
        endless,
        closed,
        reply("").0,
        reply("HTTP/1.1 200 X\r\nMarker: mar").0,
        reply("HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nmarker").0,
        reply("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nmarker").0,
        reply("220 marker ESMTP\r\n").0,
    ] {
        let result = get(port, TOTAL);
        let Err(OutboundError::Unavailable(reason)) = result else { panic!("{result:?}") };
        assert!(!reason.contains("marker") && !reason.contains('\n'), "{reason}");
    }
    let header = OutboundRequest::get("https://a.example/").header("Authorization", "marker\r\nX: y");
    let refused = client(TOTAL).call(&header).unwrap_err();
    assert!(matches!(refused, OutboundError::Forbidden(_)) && !refused.to_string().contains("marker"), "{refused}");
}

#[test]
fn names_of_inner_addresses_are_refused_without_a_connection() {
    let call = |lookup: Lookup| {
        UreqHttp::with(AddressPolicy::default(), TOTAL, lookup).call(&OutboundRequest::get("https://a.example/?marker"))
    };
    let inner: [Lookup; 5] = [
        |_| Ok(vec![([127, 0, 0, 1], 443).into()]),
        |_| Ok(vec![([10, 0, 0, 1], 443).into(), ([169, 254, 169, 254], 443).into()]),
        |_| Ok(vec![SocketAddr::new("::ffff:127.0.0.1".parse().unwrap(), 443)]),
        |_| Ok(vec![SocketAddr::new("fe80::1".parse().unwrap(), 443)]),
        |_| Ok(vec![([127, 0, 0, 1], 443).into(); 100]),
    ];
    for lookup in inner {
        let refused = Err(OutboundError::Forbidden("the host has only private or reserved addresses".to_owned()));
        assert_eq!(call(lookup), refused);
    }
    assert_eq!(call(|_| Ok(Vec::new())), Err(unavailable("the host name does not resolve")));
    assert_eq!(call(|_| Err(io::Error::other("marker"))), Err(unavailable("the host name does not resolve")));
}

#[test]
fn this_machine_is_refused_except_for_a_configured_origin() {
    let (port, requests) = reply("HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n");
    let urls = ["127.0.0.1", "127.1", "localhost", "[::1]"].map(|host| format!("http://{host}:{port}/"));
    for url in &urls {
        let refused = UreqHttp::new(AddressPolicy::default()).call(&OutboundRequest::get(url));
        assert!(matches!(refused, Err(OutboundError::Forbidden(_))), "{url}: {refused:?}");
    }
    assert_eq!(requests.try_iter().count(), 0);
    let configured = AddressPolicy::default().with_origin(&format!("http://127.0.0.1:{port}/issuer"));
    let http = UreqHttp::new(configured);
    assert_eq!(http.call(&OutboundRequest::get(&urls[0])).unwrap().status, 200);
    assert!(matches!(http.call(&OutboundRequest::get(&urls[2])), Err(OutboundError::Forbidden(_))));
}

/// Starts a TLS server with this certificate. Returns its port.
fn serve_tls(issued: &Issued) -> u16 {
    let identity = Identity::from_pkcs8(issued.certificate.as_bytes(), issued.key.as_bytes()).unwrap();
    let acceptor = TlsAcceptor::new(identity).unwrap();
    serve(move |socket| {
        let Ok(mut stream) = acceptor.accept(socket) else { return };
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n").ok();
    })
}

fn get_tls(host: &str, port: u16) -> Result<OutboundResponse, OutboundError> {
    client(TOTAL).call(&OutboundRequest::get(&format!("https://{host}:{port}/?marker")))
}

#[test]
fn certificates_of_unknown_authorities_are_refused() {
    let port = serve_tls(&Authority::new().issue(&["localhost", "127.0.0.1"]));
    let result = get_tls("localhost", port);
    let Err(OutboundError::Unavailable(reason)) = result else { panic!("{result:?}") };
    assert!(reason.contains("certificate verify failed"), "{reason}");
}

/// Variable of the process in which the test below makes its calls: a process cannot change its own environment.
const NAMED: &str = "PORT_OF_A_GOOD_CERTIFICATE";

#[test]
fn ssl_cert_file_names_authorities_and_proxies_are_ignored() {
    if std::env::var_os(NAMED).is_some() {
        return calls_in_a_strange_environment();
    }
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let file = folder.path().join("authority.pem");
    fs::write(&file, authority.certificate()).unwrap();
    let named = serve_tls(&authority.issue(&["localhost"])).to_string();
    let expired = serve_tls(&authority.issue_expired(&["localhost"])).to_string();
    let (proxy, requests) = reply("HTTP/1.1 418 X\r\nContent-Length: 0\r\n\r\n");
    let proxy = format!("http://127.0.0.1:{proxy}");
    let mut command = Command::new(std::env::current_exe().unwrap());
    let test = "client::tests::ssl_cert_file_names_authorities_and_proxies_are_ignored";
    command.args(["--exact", test]).env("SSL_CERT_FILE", file).env(NAMED, named).env("EXPIRED", expired);
    let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    let output = command.envs(proxies.map(|name| (name, &proxy))).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(requests.try_iter().count(), 0, "a proxy was used");
}

fn calls_in_a_strange_environment() {
    let port = |name: &str| std::env::var(name).unwrap().parse().unwrap();
    assert_eq!(get_tls("localhost", port(NAMED)).unwrap().status, 200);
    for (host, name) in [("127.0.0.1", NAMED), ("localhost", "EXPIRED")] {
        let result = get_tls(host, port(name));
        let Err(OutboundError::Unavailable(reason)) = result else { panic!("{result:?}") };
        assert!(reason.contains("certificate verify failed"), "{reason}");
    }
    let (plain, _requests) = reply("HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(get(plain, TOTAL).unwrap().status, 200);
}
