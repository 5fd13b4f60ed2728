//! Timeouts: no server can block a sender by silence or by sending slowly.

use super::{LIMITS, clock, mail, mailer, trusting, unavailable};
use portcullis_lettre::{Greeting, TimeLimits, TrustRoots};
use portcullis_ports::{Clock, Mailer};
use portcullis_testkit::smtp::{Fault, Server, Step, TlsMode};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const COMMAND: Duration = Duration::from_millis(300);
const WHOLE: Duration = Duration::from_millis(900);
/// Extra time for a busy machine.
const SLACK: Duration = Duration::from_secs(8);

const SHORT: TimeLimits = TimeLimits { greeting: COMMAND, command: COMMAND, total: WHOLE, ..LIMITS };

const UNKNOWN: &str = "502 5.5.1 what is that";

/// Starts a server that calls `serve` for each connection.
fn server(serve: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(|socket| serve(socket.unwrap())));
    port
}

fn timed(url: &str, authorities: &TrustRoots) -> (String, Duration) {
    let clock = clock();
    let reason = unavailable(mailer(url, authorities, SHORT).send(&mail(1)));
    (reason, clock.monotonic())
}

#[test]
fn silence_ends_with_the_step() {
    let port = server(|socket| {
        // Keeps the connection open until the client closes it.
        thread::spawn(move || std::io::copy(&mut &socket, &mut std::io::sink()));
    });
    for (scheme, step) in [("smtp", "greeting"), ("smtps", "encryption")] {
        let (reason, took) = timed(&format!("{scheme}://u:p@localhost:{port}"), &TrustRoots::System);
        assert_eq!(reason, format!("timed out while {step}"));
        assert!((COMMAND..COMMAND + SLACK).contains(&took), "{took:?}");
    }
}

#[test]
fn a_server_that_drips_is_left_when_the_step_is_over() {
    for bytes in [&b"220-hi\r\n"[..], b"2"] {
        let port = server(move |mut socket| {
            thread::spawn(move || {
                while socket.write_all(bytes).is_ok() {
                    drip();
                }
            });
        });
        let (reason, took) = timed(&format!("smtp://u:p@localhost:{port}"), &TrustRoots::System);
        assert!(reason.ends_with(" while greeting"), "{reason}");
        assert!(took < COMMAND + SLACK, "{took:?}");
    }
}

/// Starts a server that replies to EHLO with `to_ehlo`, accepts emails only after HELO, and delays its
/// greeting. For the second email of a connection it waits twice as long and then closes the
/// connection.
fn old_server(drops: u32, to_ehlo: &'static str) -> u16 {
    server(move |mut socket| {
        thread::spawn(move || {
            (0..drops).for_each(|_| drip());
            socket.write_all(b"220 old\r\n").unwrap();
            let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
            let mut mails = 0;
            while let Some(Ok(line)) = lines.next() {
                let reply = match line.get(..4) {
                    Some("EHLO") => to_ehlo,
                    Some("MAIL") if mails == 1 => {
                        (0..drops * 2).for_each(|_| drip());
                        break;
                    }
                    Some("DATA") => "354 go on",
                    Some("QUIT") => break,
                    _ => "250 ok",
                };
                socket.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
                if reply.starts_with("354") {
                    mails += 1;
                    lines.by_ref().find(|line| line.as_ref().is_ok_and(|line| line == "."));
                    socket.write_all(b"250 ok\r\n").unwrap();
                }
            }
        });
    })
}

#[test]
fn a_greeting_may_take_longer_than_a_command() {
    let port = old_server(20, UNKNOWN);
    let limits = TimeLimits { greeting: LIMITS.greeting, total: LIMITS.total, ..SHORT };
    let patient = mailer(&format!("smtp://localhost:{port}"), &TrustRoots::System, limits);
    assert_eq!(patient.greet(), Ok(Greeting::Ready { encrypted: false }));
    patient.send(&mail(1)).unwrap();
    let hasty = mailer(&format!("smtp://localhost:{port}"), &TrustRoots::System, SHORT);
    assert_eq!(hasty.greet(), Ok(Greeting::Slow));
    assert_eq!(unavailable(hasty.send(&mail(2))), "timed out while greeting");
}

#[test]
fn greeting_timeout_is_a_minute_and_delivery_fits_the_lease() {
    let limits = TimeLimits::default();
    assert_eq!(limits.greeting, Duration::from_secs(60));
    // The lease of an email is 90 s and includes name resolution.
    assert!(limits.greeting < limits.total && limits.total <= Duration::from_secs(80));
}

#[test]
fn a_server_that_knows_helo_alone_takes_mails_and_no_password() {
    let at = |url: String| mailer(&url, &TrustRoots::System, LIMITS).send(&mail(1));
    let port = old_server(0, UNKNOWN);
    at(format!("smtp://localhost:{port}")).unwrap();
    let reason = unavailable(at(format!("smtp://localhost:{port}?tls=required")));
    assert!(reason.contains("offers no STARTTLS"), "{reason}");
    let reason = unavailable(at(format!("smtp://u:p@localhost:{port}")));
    assert!(reason.contains("neither PLAIN nor LOGIN"), "{reason}");
}

#[test]
fn temporary_ehlo_refusal_does_not_fall_back_to_helo() {
    let port = old_server(0, "451 4.3.2 later");
    let reason = unavailable(mailer(&format!("smtp://localhost:{port}"), &TrustRoots::System, LIMITS).send(&mail(1)));
    assert_eq!(reason, "451 4.3.2 while greeting");
}

#[test]
fn the_limit_of_a_delivery_holds_over_all_its_connections() {
    // A greeting takes 0.75 s; the kept connection takes 1.5 s to close.
    let port = old_server(25, UNKNOWN);
    let limits = TimeLimits { total: Duration::from_millis(2100), ..LIMITS };
    let mailer = mailer(&format!("smtp://localhost:{port}"), &TrustRoots::System, limits);
    mailer.send(&mail(1)).unwrap();
    assert_eq!(unavailable(mailer.send(&mail(2))), "timed out while greeting");
}

#[expect(clippy::disallowed_methods, reason = "a drop falls now and then")]
fn drip() {
    thread::sleep(Duration::from_millis(30));
}

#[test]
fn hanging_mail_server_holds_an_email_no_longer_than_a_step() {
    let server = Server::start(TlsMode::StartTls);
    for step in [Step::Sender, Step::Recipient, Step::Content] {
        server.fail_times(step, Fault::Hang, 1);
        let limits = TimeLimits { command: Duration::from_secs(2), ..LIMITS };
        let clock = clock();
        let reason = unavailable(mailer(&server.url(), &trusting(&server), limits).send(&mail(1)));
        assert!(reason.starts_with("timed out while "), "{step:?}: {reason}");
        assert!(clock.monotonic() < Duration::from_secs(4) + SLACK, "{step:?}");
    }
}

#[test]
fn the_whole_ends_though_no_step_does() {
    let server = Server::start(TlsMode::StartTls);
    server.fail(Step::Recipient, Fault::Slow(1500));
    server.fail(Step::Content, Fault::Slow(1500));
    let limits = TimeLimits { command: Duration::from_secs(20), total: Duration::from_secs(2), ..LIMITS };
    let reason = unavailable(mailer(&server.url(), &trusting(&server), limits).send(&mail(1)));
    assert!(reason.starts_with("timed out while "), "{reason}");
    let patient = TimeLimits { total: Duration::from_secs(60), ..limits };
    mailer(&server.url(), &trusting(&server), patient).send(&mail(2)).unwrap();
}
