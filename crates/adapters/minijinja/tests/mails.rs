//! Every email in every language: required content, hostile input, and an operator's templates.
//! Compares the output with the files under `snapshots/`.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use chrono::{DateTime, TimeDelta};
use portcullis_domain::mail::{ClientLabel, Language, MailContent, Occasion, RenderedMail};
use portcullis_domain::registration::{EmailAddress, PasswordPolicy};
use portcullis_domain::sessions::{ClientInfo, UserAgent};
use portcullis_minijinja::{MinijinjaRenderer, TemplatesError};
use portcullis_ports::MailRenderer;
use std::fmt::Write;
use std::fs;
use std::path::Path;

const LINK: &str = "https://auth.example.org/account/verify?a=1&b=2#token=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x> http://evil.example/ & more";

fn client(agent: &str) -> ClientLabel {
    let ip_address = Some("2001:db8::7".parse().unwrap());
    ClientLabel::from(&ClientInfo { ip_address, user_agent: UserAgent::new(agent) })
}

fn message(occasion: Occasion, language: Language) -> MailContent {
    MailContent {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        occasion,
        to: EmailAddress::parse("ada@example.org").unwrap(),
        language,
        link: occasion.purpose().map(|purpose| (LINK.to_owned(), purpose.lifetime())),
        client: Some(client("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0")),
        at: DateTime::from_timestamp(1_795_000_000, 0).unwrap(),
    }
}

fn renderer() -> MinijinjaRenderer {
    MinijinjaRenderer::new("Zugang & Co", &PasswordPolicy::default(), None).unwrap()
}

fn with_folder(folder: &Path) -> Result<MinijinjaRenderer, TemplatesError> {
    MinijinjaRenderer::new("Zugang", &PasswordPolicy::default(), Some(folder))
}

fn all() -> impl Iterator<Item = (MailContent, RenderedMail)> {
    let renderer = renderer();
    let pairs = Language::ALL.into_iter().flat_map(|l| Occasion::ALL.into_iter().map(move |o| (o, l)));
    pairs.map(move |(occasion, language)| {
        let message = message(occasion, language);
        let mail = renderer.render(&message).unwrap();
        (message, mail)
    })
}

/// Decodes escaped text as a browser does.
fn unescaped(html: &str) -> String {
    let html = html.replace("&#x27;", "'").replace("&quot;", "\"");
    html.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[test]
fn every_email_names_sender_time_and_client() {
    for (message, mail) in all() {
        let place = format!("{:?} in {:?}", message.occasion, message.language);
        let html = unescaped(&mail.html);
        for part in [&mail.text, &html] {
            for said in ["Zugang & Co", "2026-11-18 11:06 UTC", "2001:db8::7", "Firefox", "Windows"] {
                assert!(part.replace('\n', " ").contains(said), "{place}: no {said} in\n{part}");
            }
        }
        assert!(html.contains(&format!("<html lang=\"{}\">", message.language.tag())));
        assert_eq!((&mail.id, &mail.to, mail.date), (&message.id, &message.to, message.at));
        assert!(mail.subject.contains("Zugang & Co") && !mail.subject.chars().any(char::is_control), "{place}");
    }
}

#[test]
fn both_parts_have_the_link_and_tell_how_long_it_is_good() {
    for (message, mail) in all() {
        let html = unescaped(&mail.html);
        let linked = message.link.is_some();
        assert_eq!(mail.text.lines().filter(|line| *line == LINK).count(), usize::from(linked), "{}", mail.text);
        assert_eq!(html.matches(&format!("href=\"{LINK}\"")).count(), if linked { 2 } else { 0 });
        assert_eq!(html.matches(&format!(">{LINK}</a>")).count(), usize::from(linked), "as text too");
        assert_eq!(html.matches("http").count(), if linked { 3 } else { 0 }, "nothing from elsewhere: {html}");
        let lifetime = match message.occasion {
            Occasion::ResetPassword => "30",
            Occasion::EmailChanged => "7",
            _ => "24",
        };
        let told = mail.text.lines().chain(html.lines()).filter(|line| line.contains(&format!(" {lifetime} ")));
        assert!(!linked || told.count() >= 2, "{}", mail.text);
    }
}

#[test]
fn plain_text_fits_a_terminal() {
    for (message, mail) in all() {
        let long = mail.text.lines().find(|line| line.chars().count() > 76 && *line != LINK);
        assert_eq!(long, None, "{message:?}");
        assert!(!mail.text.contains("\n\n\n") && mail.text.ends_with('\n') && !mail.text.starts_with('\n'));
    }
}

/// An attacker can register another person's email address in any spelling that reaches it, and choose
/// any name: emails must not contain the attacker's text.
#[test]
fn no_mail_holds_text_that_a_client_chose() {
    let renderer = renderer();
    for (occasion, language) in Occasion::ALL.into_iter().flat_map(|o| Language::ALL.map(|l| (o, l))) {
        let to = EmailAddress::parse("ada+http//evil.example/pay@example.org").unwrap();
        let client = Some(client(HOSTILE));
        let mail = renderer.render(&MailContent { to, client, ..message(occasion, language) }).unwrap();
        for part in [&mail.subject, &mail.text, &mail.html] {
            for chosen in ["evil", "alert(1)", "<img", "ada+"] {
                assert!(!part.contains(chosen), "{occasion:?} in {language:?}: {chosen} in\n{part}");
            }
        }
    }
}

#[test]
fn a_client_is_named_in_the_words_of_each_language() {
    let renderer = renderer();
    let value = |language, agent: &str| {
        let client = Some(client(agent));
        let mail = renderer.render(&MailContent { client, ..message(Occasion::NewDevice, language) }).unwrap();
        let line = mail.text.lines().find(|line| line.contains("Linux") || line.contains("curl")).unwrap();
        line.split_once([':', '：']).unwrap().1.trim().to_owned()
    };
    for (language, unknown, known) in [
        (Language::English, "an unknown app on Linux", "Firefox on Linux"),
        (Language::German, "eine unbekannte App unter Linux", "Firefox unter Linux"),
        (Language::French, "une application inconnue sur Linux", "Firefox sur Linux"),
        (Language::Spanish, "una aplicación desconocida en Linux", "Firefox en Linux"),
        (Language::Portuguese, "um aplicativo desconhecido em Linux", "Firefox em Linux"),
        (Language::Chinese, "Linux 上的 未知应用", "Linux 上的 Firefox"),
    ] {
        assert_eq!(value(language, "Linux of evil.example"), unknown);
        assert_eq!(value(language, "X11; Linux; Firefox/140.0 evil.example"), known);
        assert_eq!(value(language, "curl/8.17"), "curl");
    }
}

#[test]
fn words_of_an_operator_that_name_the_address_escape_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("fr.toml"), "[new_device]\nintro = \"{{ email }}\"").unwrap();
    let renderer = with_folder(folder.path()).unwrap();
    let to = EmailAddress::from_stored("<b>&'@example.org".to_owned());
    let mail = renderer.render(&MailContent { to, ..message(Occasion::NewDevice, Language::French) }).unwrap();
    assert!(!mail.html.contains("<b>") && unescaped(&mail.html).contains("<b>&'@example.org"));
}

#[test]
fn a_mail_without_a_client_or_a_long_life_is_whole() {
    let link = Some((LINK.to_owned(), TimeDelta::hours(1)));
    let message = MailContent { link, client: None, ..message(Occasion::VerifyEmail, Language::English) };
    let mail = renderer().render(&message).unwrap();
    assert!(mail.text.contains("valid for 1 hour and"), "{}", mail.text);
    assert!(!mail.text.contains("IP address") && !mail.text.contains("App:"));
}

#[test]
fn an_operators_folder_replaces_files_by_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mail.txt"), "{{ app_name }}: {{ intro }}\n{{ link.url if link else '' }}").unwrap();
    fs::write(folder.path().join("de.toml"), "[verify_email]\nsubject = \"Moin, {{ email }}\"").unwrap();
    fs::write(folder.path().join("README"), "about these").unwrap();
    let renderer = with_folder(folder.path()).unwrap();
    let german = renderer.render(&message(Occasion::VerifyEmail, Language::German)).unwrap();
    assert_eq!(german.subject, "Moin, ada@example.org");
    assert!(german.text.starts_with("Zugang: Jemand, ") && german.text.ends_with(LINK), "{}", german.text);
    assert!(german.html.contains("Adresse bestätigen"));
    let english = renderer.render(&message(Occasion::VerifyEmail, Language::English)).unwrap();
    assert_eq!(english.subject, "Confirm your email address for Zugang");
}

#[test]
fn a_template_that_is_broken_stops_the_start_with_one_line() {
    for (file, text, told) in [
        ("mail.txt", "a\n{{ link.url", "mail.txt: line 2: "),
        ("mail.html", "{% if %}", "mail.html: line 1: "),
        ("mail.txt", "\n\n{{ tokn }}", "mail.txt: line 3: undefined value"),
        ("mail.html", "{{ link.url | upcase }}", "mail.html: line 1: unknown filter"),
        ("es.toml", "[new_device]\nintro = \"{{ name }}\"", "es.toml: intro in [new_device]: line 1: undefined value"),
        ("es.toml", "[new_device]\nintro = \"{{ name\"", "es.toml: intro in [new_device]: line 1: syntax error"),
        (
            "es.toml",
            "[email_changed]\nintro = \"{{ new_email }}\"",
            "es.toml: intro in [email_changed]: line 1: undefined",
        ),
        ("es.toml", "[pages.home]\ntitle = \"{{ email }}\"", "es.toml: title in [pages.home]: line 1: undefined value"),
        ("pages/home.html", "{% if %}", "pages/home.html: line 1: "),
        ("pages/mail.html", "", "pages/mail.html: is no template; there are mail.txt, "),
        ("it.toml", "", "it.toml: is no template; there are mail.txt, mail.html, en.toml, "),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("pages")).unwrap();
        fs::write(folder.path().join(file), text).unwrap();
        let error = with_folder(folder.path()).err().unwrap_or_else(|| panic!("{text}"));
        let error = error.to_string();
        assert!(error.starts_with(told) && !error.contains('\n'), "{error}");
    }
    let error = with_folder(Path::new("/nonexistent")).err().unwrap();
    assert_eq!(error.to_string(), "cannot be read (entity not found)");
}

/// docs/development/testing.md says how to accept changes.
#[test]
fn emails_are_as_recorded() {
    for occasion in Occasion::ALL {
        let mut texts = String::new();
        for (message, mail) in all().filter(|(message, _)| message.occasion == occasion) {
            let tag = message.language.tag();
            writeln!(texts, "===== {tag}\nSubject: {}\n\n{}", mail.subject, mail.text).unwrap();
            if message.language == Language::English {
                insta::assert_snapshot!(format!("{}.html", occasion.as_str()), mail.html);
            }
        }
        insta::assert_snapshot!(format!("{}.txt", occasion.as_str()), texts);
    }
}
