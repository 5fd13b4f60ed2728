//! URLs whose parameters can never work.

use super::{Sandbox, TestDatabase, open};
use crate::samples::patient;
use portcullis_diesel::{MigrateError, Migrations};
use portcullis_domain::registration::UserId;
use portcullis_ports::StoreExt;
use portcullis_testkit::postgres::Server;
use portcullis_testkit::smtp::Authority;

#[test]
fn unusable_connection_parameter_is_a_permanent_error() {
    for sandbox in Sandbox::in_both_languages() {
        for (parameters, named) in [
            ("options=-c%20nosuch%3Dsecret", "nosuch"),
            ("options=-c%20statement_timeout%3Dsecret", "statement_timeout"),
            ("options=--work-mem%3Dsecret", "work_mem"),
            ("client_encoding=secret", "client_encoding"),
            ("target_session_attrs=secret", "target_session_attrs"),
            ("require_auth=secret", "require_auth"),
            ("channel_binding=secret", "channel_binding"),
            ("sslmode=require&sslcertmode=secret", "sslcertmode"),
            ("load_balance_hosts=secret", "load_balance_hosts"),
            ("ssl_min_protocol_version=secret", "ssl_min_protocol_version"),
        ] {
            let store = open(&format!("{}?{parameters}", sandbox.0.url), &patient());
            let error = store.migrate().unwrap_err();
            assert!(matches!(error, MigrateError::Url(_)) && !error.is_temporary(), "{parameters}: {error}");
            let line = error.to_string();
            assert!(line.starts_with("DATABASE_URL: ") && line.contains(named), "{parameters}: {line}");
            assert!(!line.contains("secret") && !line.contains('\n'), "{parameters}: {line}");
        }
    }
}

#[test]
fn a_certificate_that_does_not_exist_is_not_waited_for() {
    let server = Server::start();
    let issued = Authority::new().issue(&["127.0.0.1"]);
    server.offer_tls(&issued.certificate, &issued.key);
    let url = server.create_database().url;
    let store = open(&format!("{url}?sslmode=verify-ca&sslrootcert=/secret"), &patient());
    let error = store.migrate().unwrap_err();
    assert!(matches!(&error, MigrateError::Url(line) if line.contains("root certificate file")), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    open(&format!("{url}?sslmode=require"), &patient()).migrate().unwrap();
}

#[test]
fn what_a_server_may_come_to_accept_is_waited_for() {
    for sandbox in Sandbox::in_both_languages() {
        let url = &sandbox.0.url;
        let role = format!("{url}?user=connect_timeout&connect_timeout=2");
        for later in [url.replace("/test_", "/other_"), role, "postgres://127.0.0.1:1/app?connect_timeout=2".to_owned()]
        {
            let error = open(&later, &patient()).migrate().unwrap_err();
            assert!(matches!(error, MigrateError::Unavailable(_)), "{later}: {error}");
        }
    }
}

#[test]
fn parameters_of_other_drivers_that_mean_the_same_work() {
    let sandbox = Sandbox::new();
    for parameters in ["ssl=prefer", "ssl=false", "ssl=allow&client_encoding=utf8", "gssencmode=disable&keepalives=1"] {
        let store = sandbox.open_with(&format!("?{parameters}"), &patient());
        assert!(store.status().is_ok(), "{parameters}");
    }
}

#[test]
fn a_server_is_asked_for_english_messages_where_the_role_may() {
    let german = Server::shared_in_german();
    let sandbox = Sandbox::on(german);
    let url = sandbox.0.url.replace("//app@", "//postgres@");
    let store = open(&url, &patient());
    store.migrate().unwrap();
    sandbox.execute("ALTER TABLE users RENAME TO elsewhere");
    let error = store.read(|tx| tx.users().find(UserId::new(1))).unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
}
