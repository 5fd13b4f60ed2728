//! Tests of the load generator against a minimal server.

use super::flows::{Get, Refresh, Session};
use super::load::{Client, Window, drive};
use super::probes::{NEVER, Pace, probe};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Serves each connection on a thread. `answer` returns status and body for the number and text of a
/// request.
fn serve(answer: impl Fn(u64, &str) -> (u16, String) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, answer, number) = (listener.local_addr().unwrap(), Arc::new(answer), Arc::new(AtomicU64::new(0)));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (answer, number) = (Arc::clone(&answer), Arc::clone(&number));
            thread::spawn(move || {
                serve_one(stream.unwrap(), |request| answer(number.fetch_add(1, Ordering::Relaxed), request));
            });
        }
    });
    address
}

fn serve_one(mut stream: TcpStream, answer: impl Fn(&str) -> (u16, String)) {
    stream.set_nodelay(true).unwrap();
    let mut read = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut read) {
        let (status, body) = answer(std::str::from_utf8(&read[..count]).unwrap());
        let head = format!("HTTP/1.1 {status} X\r\nRetry-After: 0\r\nContent-Length: {}\r\n\r\n", body.len());
        // In two parts, as a network may deliver it.
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).unwrap();
    }
}

fn window(milliseconds: u64) -> Window {
    Window { warm_up: Duration::ZERO, measured: Duration::from_millis(milliseconds) }
}

fn gets(count: usize) -> Vec<Client> {
    (0..count).map(|_| -> Client { Box::new(Get::new("/health", "")) }).collect()
}

fn no_cpu() -> anyhow::Result<Duration> {
    Ok(Duration::ZERO)
}

#[test]
fn each_client_goes_on_when_it_has_its_answer() {
    let address = serve(|_, _| (200, "{}".into()));
    let sample = drive(address, &mut gets(3), window(500), &no_cpu).unwrap();
    assert!(sample.latencies.len() > 10, "{}", sample.latencies.len());
    assert_eq!(sample.shed, 0);
}

#[test]
fn the_window_begins_and_ends_with_an_answer() {
    let operation = Duration::from_millis(70);
    let address = serve(move |_, _| {
        thread::sleep(operation);
        (200, "{}".into())
    });
    let window = Window { warm_up: Duration::from_millis(10), measured: 5 * operation / 2 };
    let sample = drive(address, &mut gets(1), window, &no_cpu).unwrap();
    let count = u32::try_from(sample.latencies.len()).unwrap();
    let of_one = sample.elapsed / count;
    assert!(of_one + operation / 10 >= operation, "{count} operations of {operation:?} in {:?}", sample.elapsed);
    assert!(sample.elapsed.abs_diff(sample.latencies.iter().sum()) < operation / 4, "{sample:?}");
}

#[test]
fn refused_client_retries_and_its_refusals_count_separately() {
    let address = serve(|number, _| if number % 2 == 0 { (503, "{}".into()) } else { (200, "{}".into()) });
    let sample = drive(address, &mut gets(1), window(500), &no_cpu).unwrap();
    let answered = u64::try_from(sample.latencies.len()).unwrap();
    assert!(answered > 3 && answered.abs_diff(sample.shed) <= 1, "{answered} answered, {} shed", sample.shed);
}

#[test]
fn another_status_fails_the_measurement() {
    let address = serve(|number, _| if number == 5 { (500, "broken".into()) } else { (200, "{}".into()) });
    let error = drive(address, &mut gets(1), window(10_000), &no_cpu).unwrap_err();
    assert!(error.to_string().contains("500"), "{error}");
}

#[test]
fn a_failure_tells_of_the_refusal_before_it() {
    let address = serve(|number, _| if number % 2 == 0 { (503, "busy".into()) } else { (401, "spent".into()) });
    let error = format!("{:#}", drive(address, &mut gets(1), window(10_000), &no_cpu).unwrap_err());
    assert!(["503", "busy", "401", "spent"].iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn a_chain_outlives_the_window_with_its_newest_token() {
    let address = serve(|number, request| {
        let shown = format!("\"{}\"", number.wrapping_sub(1));
        assert!(number == 0 || request.contains(&shown), "{request} instead of {shown}");
        (200, format!("{{\"refresh_token\":\"{number}\"}}"))
    });
    let session = Session { access: String::new(), refresh: "first".into() };
    let mut chain: Vec<Client> = vec![Box::new(Refresh::new(&session))];
    for _ in 0..2 {
        drive(address, &mut chain, window(50), &no_cpu).unwrap();
    }
    let mut next = Vec::new();
    chain[0].request(&mut next);
    assert!(!String::from_utf8(next).unwrap().contains("first"));
}

#[test]
fn probes_are_timed_from_when_they_were_due() {
    let stall = Duration::from_millis(200);
    let address = serve(move |number, _| {
        if number == 5 {
            thread::sleep(stall);
        }
        (200, "{}".into())
    });
    let pace = Pace { a_second: 100, time: Duration::from_millis(500), stop: &NEVER };
    let probed = probe(address, &mut gets(1), pace).unwrap();
    assert_eq!(probed.latencies.len(), 50, "none is left out");
    let late = probed.latencies.iter().filter(|time| **time > stall / 4).count();
    assert!(late >= 10, "{late}: those that were due during the stall waited too");
}
