//! F24 for pipelined requests: each gets its own response, in order, regardless of the other requests and how
//! long they take.

use crate::harness::sockets::RawReply;
use crate::prelude::*;

/// Starts a service whose logins are slow.
fn service() -> Service {
    Backend::Sqlite.service().set("BCRYPT_COST", "12").start()
}

fn get(method: &str, id: &str, fields: &str) -> String {
    format!("{method} /health HTTP/1.1\r\nHost: a\r\nX-Request-ID: {id}\r\n{fields}\r\n")
}

/// Returns a login that fails after its hash, with its body in one piece or in two chunks.
fn login(id: &str, chunked: bool) -> String {
    let body = json!({"email": "a@example.com", "password": "with a blank\r\n\r\n line"}).to_string();
    let head = format!(
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nX-Request-ID: {id}\r\nContent-Type: application/json; x=\"{}\"\r\n",
        "y".repeat(20)
    );
    if !chunked {
        return format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    }
    let (one, two) = body.split_at(10);
    let chunk = |part: &str| format!("{:x}\r\n{part}\r\n", part.len());
    format!("{head}Transfer-Encoding: chunked\r\n\r\n{}{}0\r\nTrailer: 1\r\n\r\n", chunk(one), chunk(two))
}

#[track_caller]
fn expect(reply: &RawReply, id: &str, status: u16) {
    assert_eq!((reply.header("X-Request-ID"), reply.status), (Some(id), status), "{}", reply.head);
}

#[track_caller]
fn expect_login(connection: &mut Connection, id: &str) {
    let reply = connection.reply().unwrap().unwrap();
    expect(&reply, id, 401);
    assert_eq!(reply.header("Connection"), None, "what follows is not its own wish");
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("{error}: {reply:?}"));
    assert_eq!((&body["error"]["code"], &body["request_id"]), (&json!("AUTH_INVALID_CREDENTIALS"), &json!(id)));
}

#[test]
fn every_answer_behind_slow_work_is_whole_and_in_its_place() {
    let service = service();
    let mut messages = String::new();
    for round in 0..3 {
        messages += &login(&format!("login.{round}"), round % 2 == 1);
        messages += &get("HEAD", &format!("head.{round}"), "");
        messages += &get("GET", &format!("get.{round}"), "");
    }
    messages += &get("GET", "last", "Connection: close\r\n");
    // Sent at once, in two halves, and split before the last byte.
    for cut in [0, messages.len() / 2, messages.len() - 1] {
        let mut connection = Connection::open(&service);
        let (one, two) = messages.split_at(cut);
        connection.send(one).unwrap();
        connection.send(two).unwrap();
        for round in 0..3 {
            expect_login(&mut connection, &format!("login.{round}"));
            let head = connection.reply_to_head().unwrap().unwrap();
            expect(&head, &format!("head.{round}"), 200);
            let get = connection.reply().unwrap().unwrap();
            expect(&get, &format!("get.{round}"), 200);
            assert_eq!(get.body, r#"{"status":"ok"}"#);
            assert_eq!(head.header("Content-Length"), get.header("Content-Length"));
        }
        let last = connection.reply().unwrap().unwrap();
        expect(&last, "last", 200);
        assert_eq!(last.header("Connection"), Some("close"));
        assert!(connection.is_closed());
    }
}

#[test]
fn an_older_version_behind_slow_work_changes_nothing_before_it() {
    let service = service();
    let mut connection = Connection::open(&service);
    let old = "HEAD /health HTTP/1.0\r\nX-Request-ID: old\r\n\r\n";
    connection.send(format!("{}{old}", login("slow", false))).unwrap();
    expect_login(&mut connection, "slow");
    expect(&connection.reply_to_head().unwrap().unwrap(), "old", 200);
    assert!(connection.is_closed());
}

#[test]
fn a_damaged_message_behind_slow_work_costs_it_nothing() {
    let service = service();
    for damaged in ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n", "\0\0\0\0\r\n\r\n"]
    {
        let mut connection = Connection::open(&service);
        connection.send(format!("{}{damaged}", login("slow", false))).unwrap();
        expect_login(&mut connection, "slow");
        let reply = connection.reply().unwrap().unwrap();
        assert_eq!((reply.status, reply.body.as_str()), (400, ""));
        assert!(connection.is_closed());
    }
}

#[test]
fn a_body_is_never_read_as_a_request_and_no_request_as_a_body() {
    let service = service();
    let smuggled = get("GET", "smuggled", "");
    let requests = [
        // The service does not read these bodies.
        format!("GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{smuggled}", smuggled.len()),
        format!(
            "GET /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{smuggled}\r\n0\r\n\r\n",
            smuggled.len()
        ),
        format!(
            "POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{smuggled}\r\n0\r\n\r\n",
            smuggled.len()
        ),
    ];
    for request in requests {
        let mut connection = Connection::open(&service);
        connection.send(format!("{request}{}", get("GET", "next", "Connection: close\r\n"))).unwrap();
        assert!(matches!(connection.reply().unwrap().unwrap().status, 200 | 404));
        // The service may close after an unread body but must never parse a part of it as a request.
        if let Ok(Some(reply)) = connection.reply() {
            expect(&reply, "next", 200);
        }
        assert!(connection.is_closed());
    }
    assert!(!service.flushed_log().text().contains("smuggled"));
}

#[test]
fn a_wish_to_upgrade_is_answered_and_ends_the_connection() {
    let service = service();
    let wishes = [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
    ];
    for wish in wishes {
        let mut connection = Connection::open(&service);
        connection.send(get("GET", "wish", wish) + &get("GET", "ignored", "")).unwrap();
        let reply = connection.reply().unwrap().unwrap();
        expect(&reply, "wish", 200);
        assert_eq!((reply.header("Connection"), reply.body.as_str()), (Some("close"), r#"{"status":"ok"}"#));
        assert!(connection.is_closed());
        assert!(!service.flushed_log().text().contains("ignored"));
    }
}
