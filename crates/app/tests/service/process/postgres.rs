//! Starts on a misconfigured PostgreSQL: errors, warnings and the findings of `doctor`.

use super::cli_harness::command;
use crate::harness::services::ExitedService;
use crate::prelude::*;
use portcullis_testkit::postgres::{Pooler, Server};
use portcullis_testkit::smtp::Authority;
use std::os::unix::fs::symlink;

fn at(url: &str) -> ServiceBuilder {
    Backend::Sqlite.service().set("DATABASE_URL", url)
}

fn doctor(url: &str) -> ExitedService {
    let database = Backend::Sqlite.database();
    command(&database, "doctor --json").set("DATABASE_URL", url).run()
}

/// Returns what `doctor` found about the database, with its advice.
#[track_caller]
fn found(ended: &ExitedService, status: &str) -> String {
    let (what, advice) = super::doctor::found(ended, "database", status);
    format!("{what} {advice}")
}

#[test]
fn transaction_mode_pooler_is_refused_by_serve_cli_and_doctor() {
    let server = Server::shared();
    let database = server.create_database();
    let name = database.url.rsplit('/').next().unwrap();
    let pooler = Pooler::start(server, "transaction", "");
    let line = at(&pooler.url(name)).run().refusal().to_owned();
    assert!(line.contains("DATABASE_URL") && line.contains("pool_mode=session"), "{line}");
    let ended = doctor(&pooler.url(name));
    assert!(found(&ended, "error").contains("pool_mode=session"), "{ended:?}");
    let setup = command(&Backend::Sqlite.database(), "user list").set("DATABASE_URL", &pooler.url(name));
    assert!(setup.run().refusal().contains("pool_mode=session"));
    let session = Pooler::start(server, "session", "");
    at(&session.url(name)).start().session();
}

#[test]
fn a_parameter_that_can_never_work_stops_the_start() {
    let url = Server::shared().create_database().url;
    for (parameters, named) in
        [("options=-c%20nosuch%3Dmarker", "nosuch"), ("target_session_attrs=marker", "target_session_attrs")]
    {
        let url = format!("{url}?{parameters}");
        let line = at(&url).run().refusal().to_owned();
        assert!(line.contains("DATABASE_URL") && line.contains(named) && !line.contains("marker"), "{line}");
        let finding = found(&doctor(&url), "error");
        assert!(finding.contains("DATABASE_URL") && finding.contains("waiting does not help"), "{finding}");
    }
    let setup = command(&Backend::Sqlite.database(), "config check");
    let ended = setup.set("DATABASE_URL", &format!("{url}?connect_timeout=x")).run();
    let line = ended.refusal();
    assert!(line.contains("DATABASE_URL") && line.contains("connect_timeout"), "{line}");
}

/// The server comes back after the start.
#[test]
fn what_is_refused_later_names_its_setting_too() {
    let server = Server::start();
    let url = server.create_database().url;
    server.psql(url.rsplit('/').next().unwrap(), "CREATE TABLE users (id INTEGER)");
    server.stop();
    let service = at(&url).start();
    server.restart();
    assert!(!service.wait().success());
    let line = service.errors.text();
    assert!(line.contains("DATABASE_URL: ") && line.contains("users is not"), "{line}");
}

#[test]
fn foreign_messages_are_warned_of_with_what_to_run() {
    let url = Server::shared_in_german().create_database().url;
    let service = at(&url).start();
    service.session();
    let warned = |event: &Value| event["level"] == "WARNING" && event.to_string().contains("lc_messages");
    assert_eq!(service.flushed_log().events().iter().filter(|event| warned(event)).count(), 1);
    let finding = found(&doctor(&url), "warning");
    assert!(finding.contains("GRANT SET ON PARAMETER lc_messages"), "{finding}");
    let english = doctor(&Server::shared().create_database().url);
    assert!(!english.output.contains("lc_messages"), "{english:?}");
}

/// Unreadable files in the home folder once disabled TLS.
#[test]
fn a_home_folder_that_cannot_be_read_does_not_switch_tls_off() {
    let server = Server::start();
    let issued = Authority::new().issue(&["127.0.0.1"]);
    server.offer_tls(&issued.certificate, &issued.key);
    let home = fresh_folder();
    // A lookup below this symlink loop fails, even for root.
    symlink(".postgresql", home.join(".postgresql")).unwrap();
    let service = at(&server.create_database().url).set("HOME", home.to_str().unwrap()).start();
    service.session();
    let encrypted = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
        WHERE application_name = 'portcullis'";
    assert_eq!(server.psql("postgres", encrypted), "t\n");
}
