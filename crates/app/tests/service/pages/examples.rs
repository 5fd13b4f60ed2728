//! The example programs of the guides, run as they are.

use super::{Visitor, with_apps};
use crate::prelude::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use ureq::http::Uri;

fn example(name: &str, portcullis: &Service) -> Command {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/examples").join(name);
    let mut command = Command::new("python3");
    command.arg(path).env("PORTCULLIS", format!("http://{}", portcullis.address));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Starts a service that is reached at the address that it listens on.
fn service(uris: &str) -> Service {
    with_apps(Backend::Sqlite.service()).unset("PUBLIC_URL").set("REDIRECT_URIS", uris).start()
}

/// Signs in at the address that an app sent the browser to, and returns the address of the app.
fn sign_in(service: &Service, account: &Account, url: &str) -> String {
    let target: Uri = url.parse().unwrap();
    assert_eq!(target.authority().unwrap().as_str(), service.address.to_string());
    let mut visitor = Visitor::new(service);
    visitor.open(&target.to_string().replacen(&format!("http://{}", service.address), "", 1)).page(200);
    visitor.log_in(&format!("?{}", target.query().unwrap()), account).app_url()
}

#[test]
fn c5_12_the_server_rendered_example_signs_in_and_out() {
    let service = service("http://127.0.0.1/callback");
    let account = service.account();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut app = KillOnDrop::spawn(example("hosted_sign_in.py", &service).env("PORT", port.to_string()));
    let mut line = String::new();
    BufReader::new(app.child().stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), format!("Open http://127.0.0.1:{port}/"));
    let agent = crate::harness::calls::agent(0);
    let call = |method: &str, path: &str, cookie: &str| {
        let uri = path.strip_prefix(&format!("http://127.0.0.1:{port}")).unwrap_or(path);
        let request = ureq::http::Request::builder().method(method).uri(format!("http://127.0.0.1:{port}{uri}"));
        let mut response = agent.run(request.header("Cookie", cookie).body(()).unwrap()).unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let cookie = header("Set-Cookie").map(|text| text.split(';').next().unwrap().to_owned());
        let (status, location) = (response.status().as_u16(), header("Location").unwrap_or_default());
        (status, location, cookie, response.body_mut().read_to_string().unwrap())
    };
    assert!(call("GET", "/", "").3.contains("Sign in"));
    let (_, url, pending, _) = call("GET", "/sign-in", "");
    let pending = pending.unwrap();
    let back = sign_in(&service, &account, &url);
    // Another browser, which did not begin this.
    assert_eq!(call("GET", &back, "").0, 400);
    let (status, _, session, text) = call("GET", &back, &pending);
    assert_eq!(status, 303, "{text}");
    let session = session.unwrap();
    assert!(call("GET", "/", &session).3.contains(&account.email));
    assert_eq!(call("GET", &back, &pending).0, 400, "once");
    assert!(call("GET", "/", &session).3.contains(&account.email));
    assert_eq!(call("POST", "/sign-out", &session).0, 303);
    assert!(call("GET", "/", &session).3.contains("Sign in"));
    let live = format!("FROM sessions WHERE user_id = {} AND ended_at IS NULL", account.id);
    assert_eq!(service.database.count(&live), 1, "that of the pages");
}

#[test]
fn c5_12_the_native_example_signs_in() {
    let service = service("com.example.app:/signed-in");
    let account = service.account();
    let run = |change: &dyn Fn(String) -> String| {
        let mut app = KillOnDrop::spawn(&mut example("native_app.py", &service));
        let (mut output, mut input) = (app.child().stdout.take().unwrap(), app.child().stdin.take().unwrap());
        let (mut reader, mut url, mut rest) = (BufReader::new(&mut output), String::new(), String::new());
        reader.read_line(&mut url).unwrap();
        let back = sign_in(&service, &account, url.trim());
        writeln!(input, "{}", change(back)).unwrap();
        reader.read_to_string(&mut rest).unwrap();
        rest
    };
    assert_eq!(run(&|back| back), format!("Signed in as {}\n", account.email));
    assert_eq!(run(&|back| back.replace("state=", "state=x")), "");
    assert_eq!(run(&|back| back.replace("com.example.app", "com.example.evil")), "");
}
