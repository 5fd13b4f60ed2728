//! First steps of a new user: the help, the line that says where things are, the log on a terminal and the
//! first page.

use super::cli_harness::{Terminal, command, done};
use crate::prelude::*;
use std::path::Path;

on_both_databases!(
    links_in_mails_lead_to_the_port_that_was_bound,
    commands_that_sign_nothing_ask_for_no_secret,
    an_operator_vouches_for_an_address,
);

#[test]
fn the_help_says_what_it_is_and_how_to_start() {
    let database = Backend::Sqlite.database();
    let help = done(&database, "--help");
    assert!(help.starts_with("Portcullis is an authentication service"), "{help}");
    for part in ["export SECRET_KEY=", "\n    portcullis\n", "http://127.0.0.1:8000", "(default)"] {
        assert!(help.contains(part), "{part:?} is not in\n{help}");
    }
    let short = done(&database, "-h");
    assert!(short.starts_with("Authentication service: accounts"), "{short}");
    let create = done(&database, "user create --help");
    assert!(create.contains("email its owner a verification link"), "{create}");
}

fn links_in_mails_lead_to_the_port_that_was_bound(service: &Service) {
    let account = service.account();
    let link = service.wait_for_mails(&account.email, 1)[0].link();
    assert!(link.starts_with(&format!("http://{}/account/verify?token=", service.address)), "{link}");
}

#[test]
fn listening_line_says_where_service_docs_and_emails_are() {
    let service = Backend::Sqlite.service().start();
    let first = service.log.events().remove(0);
    assert_eq!((&first["message"], &first["version"]), (&"Starting".into(), &env!("CARGO_PKG_VERSION").into()));
    let listening = service.log.wait_for(1, |event| event["message"] == "Listening").remove(0);
    let url = format!("http://{}", service.address);
    assert_eq!((&listening["url"], &listening["docs"]), (&url.as_str().into(), &format!("{url}/docs").into()));
    assert_eq!(Path::new(listening["mails"].as_str().unwrap()), service.folder.join("outbox"));
    let public = Backend::Sqlite.service().set("PUBLIC_URL", "https://a.example/id").set("MAIL_FROM", "a@a.example");
    let public = public.set("SMTP_URL", "smtp://user:hunter2marker@127.0.0.1:2525").start();
    let listening = public.log.wait_for(1, |event| event["message"] == "Listening").remove(0);
    assert_eq!(listening["docs"], "https://a.example/id/docs");
    assert_eq!(listening["mails"], "127.0.0.1:2525");
    assert!(!public.log.text().contains("hunter2marker"));
}

#[test]
fn misspelt_setting_is_reported_at_start_and_by_doctor() {
    let service = Backend::Sqlite.service().set("CORS_ORIGIN", "https://marker.example").start();
    let warned = service.log.wait_for(1, |event| event["level"] == "WARNING" && event["name"] == "app");
    let warned = warned.iter().find(|event| event["message"].as_str().unwrap().starts_with("CORS_ORIGIN "));
    assert!(warned.expect("a warning")["advice"].as_str().unwrap().contains("CORS_ORIGINS?"));
    let doctor = command(&service.database, "doctor").set("CORS_ORIGIN", "https://marker.example").run();
    let line = doctor.output.lines().find(|line| line.contains("CORS_ORIGIN ")).expect("a finding");
    assert!(line.starts_with("warning  settings: CORS_ORIGIN (environment)") && !line.contains("marker"), "{line}");
}

/// Returns the terminal output of a service that starts there.
fn shown_at_a_terminal(setup: &ServiceBuilder) -> String {
    let mut terminal = Terminal::run(setup);
    terminal.wait_for("Listening");
    terminal.kill()
}

#[test]
fn the_log_is_text_on_a_terminal_and_json_elsewhere() {
    let setup = || Backend::Sqlite.service();
    let shown = shown_at_a_terminal(&setup());
    let line = shown.lines().find(|line| line.contains("Listening")).unwrap();
    assert!(line.contains("\u{1b}[32mINFO") && line.contains("docs=") && !line.contains('{'), "{line:?}");
    let plain = shown_at_a_terminal(&setup().set("NO_COLOR", "1"));
    let line = plain.lines().find(|line| line.contains("Listening")).unwrap();
    assert!(!plain.contains('\u{1b}') && line.contains("Z INFO    app: Listening address=127.0.0.1:"), "{line:?}");
    let json = shown_at_a_terminal(&setup().set("LOG_FORMAT", "json"));
    assert!(json.lines().all(|line| line.starts_with("{\"timestamp\":")), "{json}");
    // Into a pipe, where `auto` selects the JSON that every other test reads.
    let refused = setup().set("LOG_FORMAT", "xml").run();
    assert!(refused.refusal().contains("LOG_FORMAT: is not a log format; accepted: auto"), "{refused:?}");
}

#[test]
fn no_caller_writes_to_the_terminal_of_the_operator() {
    let setup = Backend::Sqlite.service().set("LOG_FORMAT", "text");
    let service = setup.start_silent();
    service.get("/%1b%5b2J%0d%0aERROR%20forged?%1b");
    service.call("GET", "/x").header("User-Agent", "a\u{9b}2J").header("X-Request-ID", "b c").send();
    service.stop();
    let text = service.log.text();
    assert!(text.contains("Request finished"), "{text}");
    assert!(text.lines().all(|line| line.starts_with("20") && line.is_ascii()), "{text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

fn commands_that_sign_nothing_ask_for_no_secret(backend: Backend) {
    let database = backend.database();
    let run = |words: &str| command(&database, words).unset("SECRET_KEY").set("ALGORITHM", "RS256").run();
    let all = "migrate|migrate --status|purge|user list|session list 1|user disable 1|user enable 1|user verify-email 1\
        |user set-password 1 --generate|session revoke --all 1|mail list|user delete 1 --yes|openapi|config print\
        |keys generate";
    for words in all.split('|') {
        let ended = run(words);
        assert!(ended.status.success(), "{words}: {ended:?}");
        if words == "migrate" {
            database.insert_user("ada@example.org", "!");
        }
    }
    assert!(run("user create ada@example.com --generate").refusal().contains("SECRET_KEY"));
}

fn an_operator_vouches_for_an_address(backend: Backend) {
    let service = backend.service().set("REQUIRE_VERIFIED_EMAIL", "true").start();
    let account = service.account();
    service.login(&account.email, &account.password).expect_error(403, "AUTH_EMAIL_UNVERIFIED");
    let told = done(&service.database, &format!("user verify {}", account.email));
    assert!(told.starts_with(&format!("Verified the email address of account {}", account.id)), "{told}");
    assert!(told.contains("password and sessions stay"), "{told}");
    service.login(&account.email, &account.password).expect(200);
    let again = done(&service.database, &format!("user verify-email {}", account.id));
    assert_eq!(again, format!("The email address of account {} ({}) was already verified.", account.id, account.email));
    let nobody = command(&service.database, &format!("user verify-email {}", fresh_email())).run();
    assert!(nobody.refusal().ends_with("no such account"), "{nobody:?}");
}

/// Returns the targets of a page's links.
fn links(page: &Reply) -> Vec<String> {
    let links = page.text().split("<a href=\"").skip(1);
    links.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn the_first_page_leads_to_what_is_enabled() {
    let service = Backend::Sqlite.service().set("APP_NAME", "<b>Gate</b>").start();
    let page = service.get("/");
    assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html; charset=utf-8")));
    let policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                  base-uri 'none'";
    assert_eq!(page.header("Content-Security-Policy"), Some(policy));
    assert!(page.text().contains("&lt;b&gt;Gate&lt;/b&gt;") && !page.text().contains("<b>"), "{}", page.text());
    assert_eq!(links(&page), ["account", "account/reset", "account/verify", "docs", "redoc", "openapi.json"]);
    let style = page.text().split("rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for target in links(&page).into_iter().chain([style]) {
        assert!(!target.starts_with('/') && !target.contains("://"), "{target} leaves a path prefix");
        let expected = if target == "account" { 303 } else { 200 };
        assert_eq!(service.get(&format!("/{target}")).status, expected, "{target}");
    }
    let head = service.call("HEAD", "/").send();
    assert_eq!((head.status, head.body.len()), (200, 0));
    service.call("POST", "/").send().expect_error(405, "METHOD_NOT_ALLOWED");
    let german = service.call("GET", "/").header("Accept-Language", "de").send();
    assert!(german.text().contains("<html lang=\"de\">") && german.text().contains("Für Entwickler"));
    assert!(service.get("/openapi.json").expect(200)["paths"].get("/").is_none());
    let own = Backend::Sqlite.service().set("RESET_URL", "https://a.example/reset/{token}").start();
    assert_eq!(links(&own.get("/")), ["account", "account/verify", "docs", "redoc", "openapi.json"]);
}
