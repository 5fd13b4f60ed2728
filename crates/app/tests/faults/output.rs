//! F30: requests never wait for the log's reader. If standard output is not read or closed, only lines are
//! lost, and the log reports how many.

use crate::harness::databases::Backend;
use crate::harness::log::Log;
use crate::harness::on_both_databases;
use crate::harness::services::ServiceBuilder;
use crate::harness::sockets::Connection;
use crate::harness::timing::{KillOnDrop, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::ChildStdout;

on_both_databases!(answers_go_on_while_nobody_reads_the_log, answers_go_on_when_the_log_is_gone,);

/// More lines than the pipe and the 4 MiB queue hold: three of about 250 bytes per request.
const REQUESTS: usize = 8_000;

struct Unread {
    process: KillOnDrop,
    address: SocketAddr,
    output: BufReader<ChildStdout>,
}

/// Starts a service and reads its log until the line with the address. It logs no statements: those of the email
/// worker would be dropped with the lines of requests.
fn start(setup: ServiceBuilder) -> Unread {
    let mut process = KillOnDrop::spawn(&mut setup.set("LOG_LEVEL", "INFO").command());
    let mut output = BufReader::new(process.child().stdout.take().unwrap());
    let errors = Log::follow(process.child().stderr.take().unwrap());
    loop {
        let mut line = String::new();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "{}", errors.text());
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["message"] == "Listening" {
            let address = event["address"].as_str().unwrap().parse().unwrap();
            return Unread { process, address, output };
        }
    }
}

/// Sends pipelined requests. Each must get a response.
fn request_many(address: SocketAddr, count: usize) {
    let mut connection = Connection::to(address).unwrap();
    let batch = 50;
    for _ in 0..count / batch {
        connection.send("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".repeat(batch)).unwrap();
        for _ in 0..batch {
            assert_eq!(connection.reply().unwrap().expect("an answer").status, 404);
        }
    }
}

fn terminate(process: &mut KillOnDrop) {
    kill_process(Pid::from_raw(process.child().id() as i32).unwrap(), Signal::TERM).unwrap();
    let status = eventually("the service ends", || process.child().try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

fn answers_go_on_while_nobody_reads_the_log(backend: Backend) {
    let mut service = start(backend.service());
    request_many(service.address, REQUESTS);
    // Once the log is read again, every line was either written or counted as dropped.
    let log = Log::follow(service.output);
    let dropped = |event: &Value| event["level"] == "WARNING" && event["dropped"].is_u64();
    log.wait_for(1, dropped);
    terminate(&mut service.process);
    log.wait_for_end();
    let events = log.events();
    assert_eq!(events.len(), log.lines().len(), "every line is whole");
    let missing: u64 =
        events.iter().filter(|event| dropped(event)).map(|event| event["dropped"].as_u64().unwrap()).sum();
    let of_requests = |event: &&Value| event["request_id"].is_string();
    let written = events.iter().filter(of_requests).count() as u64;
    assert!(missing > 0);
    assert_eq!(written + missing, 3 * REQUESTS as u64);

    let mut service = start(backend.service());
    request_many(service.address, REQUESTS);
    terminate(&mut service.process);
}

fn answers_go_on_when_the_log_is_gone(backend: Backend) {
    let mut service = start(backend.service());
    drop(service.output);
    request_many(service.address, 500);
    terminate(&mut service.process);
}
