//! F24 for slow and endless clients: they are cut off in time, cost little memory and delay no other client.

use crate::prelude::*;

const HEAD: &str = "GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ";
const BODY: &str =
    "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{";
const CHUNKS: &str = "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n";

/// Behavior of a slow client.
#[derive(Debug, Clone, Copy)]
struct Slow {
    /// First bytes it sends.
    text: &'static str,
    /// Bytes it adds repeatedly, so that data keeps arriving.
    drip: &'static str,
    /// Whether the connection has served a request before.
    used: bool,
    /// Status it may get before it is cut off.
    status: u16,
}

const SLOW: [Slow; 7] = [
    Slow { text: "", drip: "", used: false, status: 408 },
    Slow { text: HEAD, drip: "x", used: false, status: 408 },
    Slow { text: HEAD, drip: "x", used: true, status: 408 },
    Slow { text: BODY, drip: " ", used: false, status: 408 },
    Slow { text: BODY, drip: "", used: true, status: 408 },
    Slow { text: CHUNKS, drip: "1\r\n \r\n", used: false, status: 408 },
    Slow { text: CHUNKS, drip: "", used: true, status: 408 },
];

impl Slow {
    fn begin(self, service: &Service) -> Connection {
        let mut connection = Connection::open(service);
        if self.used {
            connection.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            assert_eq!(connection.reply().unwrap().unwrap().status, 200);
        }
        connection.send(self.text).unwrap();
        connection
    }

    /// Adds to the message until the service closes the connection.
    fn go_on(self, mut connection: Connection) {
        let drip = |connection: &mut Connection| {
            let gone = connection.send(self.drip).is_err();
            (gone || connection.has_received_within(Duration::from_millis(1))).then_some(())
        };
        eventually("an end", || drip(&mut connection));
        match connection.reply() {
            Ok(Some(reply)) => assert_eq!(reply.status, self.status, "{self:?}: {reply:?}"),
            Ok(None) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{self:?}"),
        }
        // Later bytes may hit a closed connection.
        eventually("closed", || connection.is_closed().then_some(()));
    }
}

#[test]
fn slow_requests_are_ended_in_time_and_delay_no_others() {
    let service = Backend::Sqlite.service().start();
    let (_, pair) = service.session();
    let each = if long_form() { 100 } else { 10 };
    let (before, descriptors) = (service.resident(), service.descriptors());
    let (time, ()) = timed(|| {
        thread::scope(|scope| {
            for slow in SLOW.iter().cycle().take(each * SLOW.len()) {
                let connection = slow.begin(&service);
                scope.spawn(move || slow.go_on(connection));
            }
            service.refresh(&pair.refresh).expect(200);
            let grown = service.resident().saturating_sub(before);
            assert!(grown < 4096 + each * SLOW.len() * 64, "{grown} KiB for {} connections", each * SLOW.len());
        });
    });
    assert!(time < Duration::from_secs(45), "{time:?}");
    eventually("descriptors return", || (service.descriptors() <= descriptors).then_some(()));
}

/// Sends until the service closes the connection and returns its status.
fn endless(service: &Service, head: &str, piece: &str) -> u16 {
    let mut connection = Connection::open(service);
    connection.send(head).unwrap();
    let (time, ()) = timed(|| while connection.send(piece).is_ok() {});
    assert!(time < TIMEOUT / 2, "it was read for {time:?}");
    connection.reply().unwrap().unwrap().status
}

#[test]
fn endless_requests_are_refused_ended_and_not_buffered() {
    let service = Backend::Sqlite.service().start();
    service.session();
    let before = service.most_resident();
    let head = "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    let length = format!("{head}Content-Length: 60000000000\r\n\r\n");
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let huge_chunk = format!("{chunked}ffffffffffff\r\n");
    let spaces = " ".repeat(16 * 1024);
    let chunk = format!("4000\r\n{spaces}\r\n");
    let cases = [
        (length.as_str(), &spaces, 413),
        (&chunked, &chunk, 413),
        (&huge_chunk, &spaces, 413),
        (HEAD, &spaces, 431),
        ("GET /", &"x".repeat(16 * 1024), 431),
        ("GET / HTTP/1.1\r\nHost: a\r\n", &"X: y\r\n".repeat(3000), 431),
    ];
    thread::scope(|scope| {
        for (head, piece, status) in cases {
            let service = &service;
            scope.spawn(move || {
                for _ in 0..if long_form() { 20 } else { 2 } {
                    assert_eq!(endless(service, head, piece), status, "{head}");
                }
            });
        }
    });
    let grown = service.most_resident() - before;
    assert!(grown < 16 * 1024, "{grown} KiB");
    service.session();
}
