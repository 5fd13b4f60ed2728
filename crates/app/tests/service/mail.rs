//! Email delivery: from a request to a mail server with TLS and a password, or into a folder; what is logged
//! and reported; and operator commands for undelivered emails.

use crate::harness::bounds::ANSWER;
use crate::harness::calls::agent;
use crate::harness::mail_server::PUBLIC_URL;
use crate::prelude::*;
use portcullis_testkit::prometheus::Page;
use portcullis_testkit::smtp::{Fault, Server, Step, TlsMode, USER};
use std::os::unix::fs::PermissionsExt;

on_both_databases!(refused_email_is_kept_reported_and_retried_on_command);

const PASSWORD: &str = "correct horse battery";

#[track_caller]
fn registered(service: &Service) -> String {
    let email = fresh_email();
    service.register(&email, PASSWORD).expect(201);
    email
}

/// Checks that the log contains no email address and nothing that gives access to an account.
fn expect_discreet(service: &Service, email: &str) {
    let log = service.flushed_log().text();
    for secret in [email, "token=", "p@ss", "no such user"] {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
}

#[test]
fn a_mail_arrives_over_tls_with_a_link_to_the_public_url() {
    for mode in [TlsMode::StartTls, TlsMode::Tls] {
        let server = Server::start(mode);
        let service = Backend::Sqlite.service().mailing(&server).start();
        let email = fresh_email();
        let body = json!({"email": email, "password": PASSWORD});
        let call = service.call("POST", "/auth/register").header("Accept-Language", "de-AT, en;q=0.5");
        call.header("Host", "localhost").json(&body).send().expect(201);
        let [mail] = &server.wait_for_mails_to(&email, 1)[..] else { panic!("more than one") };
        assert!(mail.encrypted && mail.user.as_deref() == Some(USER), "{mode:?}");
        assert_eq!(mail.sender, "no-reply@auth.example.org");
        assert_eq!(mail.header("From"), Some("Zugang <no-reply@auth.example.org>"));
        assert_eq!(mail.header("To"), Some(email.as_str()));
        assert_eq!(mail.header("Content-Language"), Some("de"));
        assert_eq!(mail.subject, "Bestätigen Sie Ihre E-Mail-Adresse für Portcullis");
        let link = mail.link.as_deref().unwrap();
        assert!(link.starts_with(&format!("{PUBLIC_URL}/account/verify?token=")), "{link}");
        let token = link.split_once("token=").unwrap().1;
        assert!(mail.html.contains(token) && token.len() == 64);
        service.database.wait_for_empty_outbox();
        service.post("/auth/email/verify", &json!({"token": token})).expect(200);
        expect_discreet(&service, &email);
        assert!(!service.log.text().contains(token));
        let (status, check, circuit) = service.mail_state();
        assert_eq!((status, circuit.as_str()), (200, "closed"));
        assert_eq!(check, json!({"status": "ok"}));
        service.stop();
    }
}

#[test]
fn without_a_mail_server_mails_are_files_that_the_log_names() {
    let setup = Backend::Sqlite.service().set("MAIL_DIR", "mails/out");
    let folder = setup.folder().join("mails/out");
    let service = setup.start();
    let email = registered(&service);
    let told = service.log.wait_for(1, |event| event["name"] == "app.mail" && event["file"].is_string());
    let name = told[0]["file"].as_str().unwrap().trim_start_matches("mails/out/");
    let file = folder.join(name);
    let mail = std::fs::read_to_string(&file).unwrap();
    assert!(mail.contains(&format!("\r\nTo: {email}\r\n")), "{mail}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    service.database.wait_for_empty_outbox();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    expect_discreet(&service, &email);
}

fn operate(service: &Service, arguments: &[&str]) -> String {
    let setup = arguments.iter().fold(ServiceBuilder::over(&service.database), |setup, word| setup.argument(word));
    let ended = setup.run();
    assert!(ended.status.success(), "{ended:?}");
    ended.output
}

fn refused_email_is_kept_reported_and_retried_on_command(backend: Backend) {
    let server = Server::start(TlsMode::StartTls);
    let service = backend.service().mailing(&server).set("METRICS_ADDR", "127.0.0.1:0").start();
    let email = fresh_email();
    server.fail(Step::Recipient, Fault::Reply(&format!("550 5.1.1 <{email}> no such user")));
    service.register(&email, PASSWORD).expect(201);
    let given_up = service.log.wait_for(1, |event| event["message"] == "Mail given up");
    assert_eq!((given_up[0]["level"].as_str(), given_up[0]["name"].as_str()), (Some("ERROR"), Some("app.mail")));
    assert_eq!(given_up[0]["occasion"], "verify_email");
    assert_eq!(given_up[0]["reason"], "the mail was refused: 550 5.1.1 while naming the recipient");
    expect_discreet(&service, &email);
    let (status, check, circuit) = service.mail_state();
    assert_eq!((status, circuit.as_str()), (200, "closed"), "one mail is no outage");
    assert_eq!(check, json!({"status": "ok"}), "nor does a stranger learn of it");
    let gauges = ["waiting", "dead"].map(|kind| format!("portcullis_mails_{kind}"));
    eventually("the page of metrics counts it", || {
        let mut response = agent(0).get(format!("{}/metrics", service.metrics_url())).call().unwrap();
        let page = Page::read(&response.body_mut().read_to_string().unwrap()).unwrap();
        (gauges.each_ref().map(|gauge| page.value(gauge)) == [Some(0.0), Some(1.0)]).then_some(())
    });
    let listed: Value = serde_json::from_str(operate(&service, &["mail", "list", "--json"]).trim()).unwrap();
    assert_eq!((&listed["occasion"], &listed["tries"]), (&json!("verify_email"), &json!(1)));
    assert!(listed["dead_at"].is_string() && !listed.to_string().contains(&email), "{listed}");
    server.clear_faults();
    let told = operate(&service, &["mail", "retry", &listed["id"].to_string()]);
    assert!(told.contains("is due"), "{told}");
    assert_eq!(server.wait_for_mails_to(&email, 1).len(), 1);
    service.database.wait_for_empty_outbox();
    assert_eq!(operate(&service, &["mail", "list", "--json"]), "");
    let unknown =
        ["mail", "retry", "12345"].iter().fold(ServiceBuilder::over(&service.database), |s, word| s.argument(word));
    assert!(unknown.run().refusal().contains("no email 12345"));
}

#[test]
fn custom_templates_are_used_and_a_broken_one_stops_the_start() {
    let server = Server::start(TlsMode::Tls);
    let setup = Backend::Sqlite.service().mailing(&server).set("MAIL_TEMPLATES", "templates");
    let folder = setup.folder().join("templates");
    std::fs::create_dir_all(folder.join("pages")).unwrap();
    let texts = "[verify_email]\nsubject = \"Welcome to {{ app_name }}\"\n[pages.home]\ntitle = \"<{{ app_name }}>\"";
    std::fs::write(folder.join("en.toml"), texts).unwrap();
    std::fs::write(folder.join("pages/home.html"), "<p>{{ words.home.title }}</p>").unwrap();
    let service = setup.start();
    assert_eq!(service.get("/").text(), "<p>&lt;Portcullis&gt;</p>");
    let email = registered(&service);
    assert_eq!(server.wait_for_mails_to(&email, 1)[0].subject, "Welcome to Portcullis");
    let broken = [("mail.txt", "{{ intro }}\n{{ tokn }}"), ("pages/confirmed.html", "{{ email }}\n{{ tokn }}")];
    let commands = [&["serve"][..], &["config", "check"]];
    for (arguments, (file, text)) in commands.into_iter().flat_map(|command| broken.map(|broken| (command, broken))) {
        let setup = Backend::Sqlite.service().set("MAIL_TEMPLATES", "templates");
        let folder = setup.folder().join("templates");
        std::fs::create_dir_all(folder.join("pages")).unwrap();
        std::fs::write(folder.join(file), text).unwrap();
        let ended = arguments.iter().fold(setup, |setup, word| setup.argument(word)).run();
        let line = ended.refusal();
        assert!(
            line.contains("MAIL_TEMPLATES: ") && line.contains(&format!("{file}: line 2: undefined value")),
            "{line}"
        );
    }
}

#[test]
fn hanging_mail_server_delays_neither_requests_nor_shutdown() {
    let server = Server::start(TlsMode::StartTls);
    server.fail(Step::Content, Fault::Hang);
    let service = Backend::Sqlite.service().mailing(&server).start();
    for _ in 0..6 {
        registered(&service);
    }
    server.wait_for_faults(4);
    let (time, _) = timed(|| registered(&service));
    assert!(time < ANSWER, "{time:?}");
    let (time, ()) = timed(|| service.stop());
    assert!(time < ANSWER, "{time:?}");
    let told = service.log.events();
    assert!(told.iter().any(|event| event["message"].as_str().is_some_and(|told| told.contains("may be sent twice"))));
    eventually("it is kept", || (service.database.count("FROM outbox") == 7).then_some(()));
}
