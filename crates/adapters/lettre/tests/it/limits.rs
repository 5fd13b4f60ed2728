//! No server holds anybody longer than it may: not by silence, nor by saying little at a time.

use super::{LIMITS, clock, mail, mailer, trusting, unavailable};
use portcullis_lettre::{Authorities, TimeLimits};
use portcullis_ports::Mailer;
use portcullis_testkit::smtp::{Fault, Mode, Server, Step};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const COMMAND: Duration = Duration::from_millis(300);
const WHOLE: Duration = Duration::from_millis(900);
/// What a busy machine may take beside.
const SLACK: Duration = Duration::from_secs(8);

const SHORT: TimeLimits = TimeLimits { command: COMMAND, whole: WHOLE, ..LIMITS };

/// A server that does that with whoever connects.
fn server(serve: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(|socket| serve(socket.unwrap())));
    port
}

fn timed(url: &str, authorities: &Authorities) -> (String, Duration) {
    let clock = clock();
    let reason = unavailable(mailer(url, authorities, SHORT).send(&mail(1)));
    (reason, clock.monotonic())
}

#[test]
fn silence_ends_with_the_step() {
    let port = server(|socket| {
        // Held open for as long as the other side holds it.
        thread::spawn(move || std::io::copy(&mut &socket, &mut std::io::sink()));
    });
    for (scheme, step) in [("smtp", "greeting"), ("smtps", "encryption")] {
        let (reason, took) = timed(&format!("{scheme}://u:p@localhost:{port}"), &Authorities::System);
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
        let (reason, took) = timed(&format!("smtp://u:p@localhost:{port}"), &Authorities::System);
        assert!(reason.ends_with(" while greeting"), "{reason}");
        assert!(took < COMMAND + SLACK, "{took:?}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a drop falls now and then")]
fn drip() {
    thread::sleep(Duration::from_millis(30));
}

#[test]
fn a_mail_server_that_stops_answering_holds_no_mail_longer_than_a_step() {
    let server = Server::start(Mode::StartTls);
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
    let server = Server::start(Mode::StartTls);
    server.fail(Step::Recipient, Fault::Slow(1500));
    server.fail(Step::Content, Fault::Slow(1500));
    let limits = TimeLimits { command: Duration::from_secs(20), whole: Duration::from_secs(2), ..LIMITS };
    let reason = unavailable(mailer(&server.url(), &trusting(&server), limits).send(&mail(1)));
    assert!(reason.starts_with("timed out while "), "{reason}");
    let patient = TimeLimits { whole: Duration::from_secs(60), ..limits };
    mailer(&server.url(), &trusting(&server), patient).send(&mail(2)).unwrap();
}
