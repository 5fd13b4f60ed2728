//! TLS: the mailer sends emails only to the server named in the URL, and only encrypted.

use super::{LIMITS, mail, mailer, to, trusting, unavailable};
use native_tls::{Identity, TlsAcceptor};
use portcullis_lettre::TrustRoots;
use portcullis_ports::Mailer;
use portcullis_testkit::smtp::{Authority, Issued, Server, TlsMode};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

#[test]
fn a_server_whose_certificate_is_not_good_for_it_gets_nothing() {
    let authority = Authority::new();
    for mode in [TlsMode::StartTls, TlsMode::Tls] {
        for (certificate, told) in [
            (authority.issue(&["mail.example.org"]), "the server's certificate is for another name"),
            (authority.issue_expired(&["localhost"]), "the server's certificate has expired"),
        ] {
            let server = Server::with(mode, &certificate, true);
            assert_eq!(unavailable(to(&server).send(&mail(1))), format!("{told} while encryption"), "{mode:?}");
            assert!(server.mails().is_empty());
        }
        let server = Server::with(mode, &authority.issue(&["localhost"]), true);
        let stranger = TrustRoots::One(Authority::new().certificate().into_bytes());
        for authorities in [stranger, TrustRoots::System] {
            let result = mailer(&server.url(), &authorities, LIMITS).send(&mail(1));
            assert!(unavailable(result).starts_with("nobody that this machine trusts vouches"), "{mode:?}");
        }
        assert!(server.mails().is_empty());
    }
}

#[test]
fn an_address_is_held_against_the_certificate_as_well() {
    let named = Server::with(TlsMode::Tls, &Authority::new().issue(&["localhost"]), true);
    let url = named.url().replace("localhost", "127.0.0.1");
    let result = mailer(&url, &trusting(&named), LIMITS).send(&mail(1));
    assert_eq!(unavailable(result), "the server's certificate is for another address while encryption");
    let numbered = Server::with(TlsMode::Tls, &Authority::new().issue(&["127.0.0.1"]), true);
    mailer(&numbered.url().replace("localhost", "127.0.0.1"), &trusting(&numbered), LIMITS).send(&mail(1)).unwrap();
}

/// Starts a server that sends these replies, one after each line it receives. Returns the received
/// lines.
fn scripted(replies: &'static [&'static str]) -> (u16, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
        let mut heard = Vec::new();
        for reply in replies {
            socket.write_all(reply.as_bytes()).unwrap();
            let Some(Ok(line)) = lines.next() else { break };
            heard.push(line);
        }
        heard.extend(lines.map_while(Result::ok));
        heard
    });
    (port, server)
}

#[test]
fn without_starttls_neither_password_nor_mail_is_said() {
    let (port, server) = scripted(&["220 hi\r\n", "250-hi\r\n250 AUTH PLAIN\r\n"]);
    let url = format!("smtp://user:marker@127.0.0.1:{port}?tls=required");
    let reason = unavailable(mailer(&url, &TrustRoots::System, LIMITS).send(&mail(1)));
    assert_eq!(reason, "the server offers no STARTTLS while encryption");
    let heard = server.join().unwrap();
    assert_eq!(heard, ["EHLO [127.0.0.1]"]);
}

#[test]
fn a_reply_to_something_else_is_not_taken_for_an_invitation() {
    let (port, server) = scripted(&["220 hi\r\n", "250 hi\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n"]);
    let reason = unavailable(mailer(&format!("smtp://127.0.0.1:{port}"), &TrustRoots::System, LIMITS).send(&mail(1)));
    assert_eq!(reason, "250 while offering the mail");
    assert_eq!(server.join().unwrap().last().map(String::as_str), Some("QUIT"), "no mail was said");
}

/// Starts a mail server that sends plaintext after its reply to STARTTLS, as an attacker on the network
/// might. Returns the commands received over TLS.
fn injecting(certificate: &Issued) -> (u16, thread::JoinHandle<Vec<String>>) {
    let identity = Identity::from_pkcs8(certificate.certificate.as_bytes(), certificate.key.as_bytes()).unwrap();
    let acceptor = TlsAcceptor::new(identity).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        for reply in ["220 hi\r\n", "250-hi\r\n250 STARTTLS\r\n"] {
            socket.write_all(reply.as_bytes()).unwrap();
            BufReader::new(socket.try_clone().unwrap()).read_line(&mut String::new()).unwrap();
        }
        socket.write_all(b"220 go\r\n250 injected\r\n").unwrap();
        let mut stream = BufReader::new(acceptor.accept(socket).unwrap());
        let mut heard = Vec::new();
        for reply in ["250 hi\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            stream.get_mut().write_all(reply.as_bytes()).unwrap();
            heard.push(line.split([' ', ':', '\r']).next().unwrap().to_owned());
        }
        let end = stream.by_ref().lines().map_while(Result::ok).any(|line| line == ".");
        stream.get_mut().write_all(b"250 taken\r\n").unwrap();
        heard.extend(end.then(|| ".".to_owned()));
        heard
    });
    (port, server)
}

#[test]
fn what_is_said_in_the_clear_behind_starttls_is_not_heard() {
    let authority = Authority::new();
    let (port, server) = injecting(&authority.issue(&["localhost"]));
    let trusted = TrustRoots::One(authority.certificate().into_bytes());
    mailer(&format!("smtp://localhost:{port}"), &trusted, LIMITS).send(&mail(1)).unwrap();
    assert_eq!(server.join().unwrap(), ["EHLO", "MAIL", "RCPT", "DATA", "."]);
}
