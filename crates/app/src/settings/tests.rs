//! Tests of the configuration as a whole: precedence, errors and display.

use super::*;
use chrono::{DateTime, Utc};
use portcullis_diesel::DatabaseUrl;
use portcullis_domain::limits::{Gcra, Rule, SlidingWindow};
use portcullis_domain::registration::UserId;
use portcullis_domain::tokens::{Claims, Jti};
use portcullis_ports::{TokenIssuer, TokenVerifier};
use secrecy::ExposeSecret;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

/// In parts: texts that occur in the repository are rejected.
pub(super) const SECRET: &str = concat!("marker-Kd8sQ2vXzLm4-", "TgB7nWc9yRfHj1pE0u3");
const EXAMPLE: &str = include_str!("../../../../.env.example");

/// Gathers sources without any file on disk.
fn gather(environment: impl IntoIterator<Item = (OsString, OsString)>, dotenv: &str) -> Result<Sources, SettingsError> {
    Sources::merge(environment, "", dotenv, |_| Err(ErrorKind::NotFound))
}

fn sources(environment: &[(&str, &str)], dotenv: &str) -> Result<Sources, SettingsError> {
    gather(environment.iter().map(|(name, value)| (name.into(), value.into())), dotenv)
}

/// Reads an environment, with a valid secret unless it has its own.
fn read(environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::read(&sources(environment, &format!("SECRET_KEY={SECRET}"))?)
}

fn refused(name: &str, value: &str) -> String {
    read(&[(name, value)]).err().unwrap_or_else(|| panic!("{name}={value} was taken")).to_string()
}

#[test]
fn the_defaults_are_the_contracts() {
    let settings = read(&[]).unwrap();
    assert!(matches!(&settings.database.url, DatabaseUrl::Sqlite(path) if path.as_os_str() == "./app.db"));
    assert!(settings.database.auto_migrate);
    assert_eq!(settings.database.purge_interval.map(|interval| interval.as_secs()), Some(3600));
    assert_eq!(settings.tokens.algorithm, portcullis_jwt::Algorithm::Hs256);
    assert_eq!(settings.tokens.lifetimes, portcullis_domain::tokens::TokenLifetimes::default());
    assert_eq!(settings.tokens.refresh, portcullis_domain::tokens::RefreshPolicy::STRICT);
    assert_eq!(settings.sessions, portcullis_domain::sessions::SessionPolicy::default());
    assert_eq!(settings.tokens.secret.expose_secret(), SECRET);
    assert_eq!((settings.passwords.bcrypt_cost, settings.passwords.hash_lanes), (12, None));
    assert_eq!(settings.passwords.policy, portcullis_domain::registration::PasswordPolicy::default());
    assert!(!settings.passwords.blocklist);
    assert!(!settings.mfa.is_required && !settings.mfa.claims_always && settings.mfa.trust.is_none());
    assert_eq!(settings.mfa.step_up_age, chrono::TimeDelta::minutes(10));
    let rules = settings.limits.rules.unwrap();
    let (minute, some) = (Duration::from_mins(1), |n| NonZeroU32::new(n).unwrap());
    let guesses = Rule::SlidingWindow(SlidingWindow::new(some(10), 15 * minute).with_backoff(minute));
    assert_eq!((rules.account, rules.device), (guesses, guesses));
    assert_eq!(rules.source, Rule::Gcra(Gcra::new(some(300), 5 * minute, some(101))));
    assert_eq!(rules.mail, Rule::SlidingWindow(SlidingWindow::new(some(3), 60 * minute)));
    assert_eq!(rules.dead_refresh, Rule::Gcra(Gcra::new(some(1), Duration::from_secs(30), some(5))));
    let codes = |n, hours| SlidingWindow::new(some(n), Duration::from_hours(hours)).with_backoff(minute);
    let second_factor = (Rule::SlidingWindow(codes(5, 1)), Rule::SlidingWindow(codes(50, 24)));
    assert_eq!((rules.second_factor, rules.second_factor_day), second_factor);
    assert!(settings.limits.proxies.is_empty() && settings.limits.redis.is_none());
    assert!(settings.mail.server.is_none() && settings.mail.templates.is_none() && !settings.mail.require_verified);
    assert_eq!(settings.mail.folder, std::path::Path::new("./outbox"));
    assert_eq!(settings.mail.from, portcullis_lettre::Sender::parse("Portcullis <no-reply@localhost>").unwrap());
    assert_eq!(settings.mail.notices, portcullis_usecases::mail::Notices::default());
    assert_eq!(settings.mail.links.verify, "http://127.0.0.1:8000/account/verify?token={token}");
    assert_eq!(settings.mail.links.reset, "http://127.0.0.1:8000/account/reset?token={token}");
    assert_eq!((settings.server.host.as_str(), settings.server.port), ("127.0.0.1", 8000));
    assert_eq!(settings.server.app_name, "Portcullis");
    assert!(!settings.server.debug);
    assert!(settings.server.cors_origins.is_empty());
    assert_eq!(settings.server.shutdown_timeout.as_secs(), 30);
    assert_eq!((settings.logging.level, settings.logging.format), (Level::Info, Format::Auto));
    assert!(settings.warnings.is_empty());
}

#[test]
fn environment_overrides_file_and_file_overrides_defaults() {
    let file = format!("SECRET_KEY={SECRET}\nPORT=1\nHOST=::1\napp_name=From ${{A}}\nUNKNOWN=x\nDEBUG\n");
    let environment = [("PORT", "2"), ("host", "localhost"), ("A", "the file"), ("ALSO_UNKNOWN", "")];
    let settings = Settings::read(&sources(&environment, &file).unwrap()).unwrap();
    assert_eq!(settings.server.port, 2);
    assert_eq!(settings.server.host, "localhost");
    assert_eq!(settings.server.app_name, "From the file");
    assert!(!settings.server.debug);
    let both = Settings::read(&sources(&[("port", "3"), ("PORT", "4"), ("Port", "5")], &file).unwrap()).unwrap();
    assert_eq!(both.server.port, 4);
}

#[test]
fn a_bad_value_is_one_line_with_name_fault_and_what_is_accepted() {
    for (name, value, line) in [
        (
            "PORT",
            "http",
            "PORT: is not a whole number; accepted: a whole number from 1 to 65535, or 0 for any free port",
        ),
        (
            "DEBUG",
            "maybe",
            "DEBUG: is neither true nor false; accepted: true, false, yes, no, y, n, t, f, on, off, 1, 0",
        ),
        (
            "ALGORITHM",
            "none",
            "ALGORITHM: is not a known algorithm; accepted: HS256, HS384, HS512; with PRIVATE_KEY_FILE: RS256, ES256, EdDSA",
        ),
        (
            "LOG_LEVEL",
            "TRACE",
            "LOG_LEVEL: is not a log level; accepted: DEBUG, INFO, WARNING, ERROR, CRITICAL, or their aliases NOTSET, WARN, FATAL, in any case",
        ),
        (
            "BCRYPT_COST",
            "9",
            "BCRYPT_COST: is out of range; accepted: a whole number from 10 to 15, and with DEBUG=true from 4",
        ),
    ] {
        assert_eq!(refused(name, value), line);
    }
}

#[test]
fn every_setting_refuses_what_is_empty_or_not_text() {
    for setting in SETTINGS.into_iter().flatten() {
        for empty in ["", " \t"] {
            let line = refused(setting.name, empty);
            assert_eq!(line, format!("{}: is empty; accepted: {}", setting.name, setting.accepted));
        }
        let bytes = OsString::from_vec(vec![b'x', 0xff]);
        let error = gather([(setting.name.into(), bytes)], "").err().unwrap();
        assert!(error.to_string().starts_with(&format!("{}: is not UTF-8; ", setting.name)));
        assert!(gather([("OTHER".into(), OsString::from_vec(vec![0xff]))], "").is_ok());
    }
}

#[test]
fn bounds_of_traces_are_kept() {
    for (name, good, bad) in [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            vec!["http://localhost:4318", "HTTP://[::1]/a/", "http://otel_collector", "https://a"],
            vec![
                "localhost:4318",
                "grpc://a",
                "http://",
                "http://u:p@a",
                "http://a:0",
                "http://a:x",
                "http://a?b",
                "http://a/\u{e9}",
                "http://a/ HTTP/1.1",
            ],
        ),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", vec!["http/protobuf", "HTTP/Protobuf", "gRPC"], vec!["http/json", "http"]),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", vec!["1", "60000"], vec!["0", "60001", "10s"]),
        ("OTEL_RESOURCE_ATTRIBUTES", vec!["a=", "a=1, b=%2C\u{e9}"], vec!["a", "=b", "a=b,", "a=%0a"]),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            vec!["a=b", "Authorization=Bearer%20x, x-y = a%2Cb"],
            vec!["a", "a=", "=b", "a b=c", "a=b,", "a=b%0d%0ac: d", "host=a", "Content-Length=1"],
        ),
        ("OTEL_SERVICE_NAME", vec!["auth eu-1"], vec!["a\nb"]),
        (
            "OTEL_TRACES_SAMPLER",
            vec!["always_off", "parentbased_traceidratio", "Always_On"],
            vec!["on", "parentbased_"],
        ),
        ("OTEL_TRACES_SAMPLER_ARG", vec!["0", "0.25", "1.0", "1e-3"], vec!["-0.1", "1.1", "NaN", "half"]),
    ] {
        let sent = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost");
        for value in good {
            assert!(read(&[sent, (name, value)]).is_ok(), "{name}={value}");
        }
        for value in bad {
            let refusal = read(&[sent, (name, value)]).unwrap_err().to_string();
            assert!(refusal.starts_with(&format!("{name}: ")), "{name}={value}: {refusal}");
        }
    }
}

#[test]
fn the_secret_is_long_or_debugged_with_a_warning() {
    let missing = Settings::read(&sources(&[], "").unwrap()).unwrap_err().to_string();
    assert!(missing.starts_with("SECRET_KEY: is missing; accepted: "));
    let short = "s".repeat(31);
    assert!(refused("SECRET_KEY", &short).starts_with("SECRET_KEY: is shorter than 32 bytes; "));
    let debugged = read(&[("SECRET_KEY", &short), ("DEBUG", "True")]).unwrap();
    assert_eq!(debugged.warnings.len(), 1);
    assert!(debugged.warnings[0].what.contains("SECRET_KEY"));
    assert!(read(&[("SECRET_KEY", &["Käse—λόγος", "—ჭადრაკი!"].concat())]).is_ok(), "bytes count, not characters");
    assert_eq!(read(&[("ALGORITHM", "HS512")]).unwrap().warnings.len(), 1);
    let spaced = read(&[("SECRET_KEY", &format!(" {SECRET} "))]).unwrap();
    assert_eq!(spaced.tokens.secret.expose_secret(), format!(" {SECRET} "));
    for debug in ["true", "false"] {
        let sample = read(&[("SECRET_KEY", "your-secret-key-that-is-quite-long-already"), ("DEBUG", debug)]);
        assert!(sample.unwrap_err().to_string().starts_with("SECRET_KEY: is a sample "));
    }
}

#[test]
fn previous_secrets_stand_on_lines_and_verify_one_size_of_hmac() {
    let token = |secret: &str, algorithm: &str| {
        let settings = read(&[("SECRET_KEY", secret), ("ALGORITHM", algorithm)]).unwrap();
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let claims = settings.tokens.lifetimes.access(UserId::new(1), Jti::from_random([1; 16]), now);
        settings.keys.issuer.sign(&Claims::Access(claims)).unwrap()
    };
    let verifies = |environment: &[(&str, &str)], token: &str| {
        let settings = read(environment).unwrap();
        assert_eq!(settings.keys.verifier.public_keys(), []);
        settings.keys.verifier.verify(token, DateTime::<Utc>::UNIX_EPOCH).is_ok()
    };
    let [first, second] = [format!("first, {SECRET}"), format!("second {SECRET}")];
    let lines = format!("{first}\n{second}\r\n");
    for old in [&first, &second] {
        let old = token(old, "HS256");
        assert!(!verifies(&[], &old));
        assert!(verifies(&[("SECRET_KEY_PREVIOUS", &lines)], &old));
        assert!(!verifies(&[("SECRET_KEY_PREVIOUS", &lines), ("ALGORITHM", "HS512")], &old));
        let of_its_size =
            [("SECRET_KEY_PREVIOUS", &*lines), ("ALGORITHM", "HS512"), ("SECRET_KEY_PREVIOUS_ALGORITHM", "HS256")];
        assert!(verifies(&of_its_size, &old));
    }
    for algorithm in ["ES256", "none", "hs256"] {
        refused("SECRET_KEY_PREVIOUS_ALGORITHM", algorithm);
    }
    assert!(refused("SECRET_KEY_PREVIOUS", &format!("{first}\nmarker")).contains("shorter than 32 bytes"));
    assert!(refused("SECRET_KEY_PREVIOUS", "your-secret-key-that-is-quite-long-already").contains("is a sample "));
    assert!(refused("SECRET_KEY", "-----BEGIN PUBLIC KEY-----\nmarker").contains("is a PEM key"));
}

#[test]
fn encryption_keys_are_strict_and_default_to_the_secret_keys() {
    let texts = |environment: &[(&str, &str)]| {
        let Encryption { current, previous } = read(environment).unwrap().encryption;
        std::iter::once(&current).chain(&previous).map(|text| text.expose_secret().to_owned()).collect::<Vec<_>>()
    };
    let [own, old, older] = ["own, ", "old, ", "older, "].map(|word| format!("{word}{SECRET}"));
    let (lines, secrets) = (format!("{old}\n{older}\n"), ("SECRET_KEY_PREVIOUS", &*older));
    assert_eq!(texts(&[]), [SECRET]);
    assert_eq!(texts(&[secrets]), [SECRET, &*older]);
    assert_eq!(texts(&[secrets, ("ENCRYPTION_KEY", &own)]), [&*own, &*older]);
    assert_eq!(texts(&[secrets, ("ENCRYPTION_KEY_PREVIOUS", &old)]), [SECRET, &*old]);
    assert_eq!(texts(&[("ENCRYPTION_KEY", &own), ("ENCRYPTION_KEY_PREVIOUS", &lines)]), [own, old, older]);
    for name in ["ENCRYPTION_KEY", "ENCRYPTION_KEY_PREVIOUS"] {
        assert!(refused(name, "your-secret-key-that-is-quite-long-already").contains("is a sample "), "{name}");
        assert!(refused(name, "marker").contains("shorter than 32 bytes"), "{name}");
        assert_eq!(read(&[(name, "marker"), ("DEBUG", "true")]).unwrap().warnings.len(), 1, "{name}");
    }
}

#[test]
fn smtp_needs_a_sender_and_a_public_host_needs_public_url() {
    let smtp = ("SMTP_URL", "smtp://u:p@mail.example.org");
    assert!(read(&[smtp]).unwrap_err().to_string().starts_with("MAIL_FROM: is missing, but SMTP_URL is set; "));
    let from = ("MAIL_FROM", "A <a@b.org>");
    assert!(read(&[smtp, from]).unwrap().warnings.is_empty());
    let exposed = read(&[("SMTP_URL", "smtp://u:p@mail.example.org?tls=none"), from]).unwrap();
    assert!(exposed.warnings[0].what.contains("SMTP_URL"), "{:?}", exposed.warnings);
    let told = |environment: &[(&str, &str)]| {
        read(environment).unwrap().warnings.iter().map(ToString::to_string).collect::<String>()
    };
    assert!(told(&[("HOST", "0.0.0.0")]).contains("PUBLIC_URL"));
    assert_eq!(told(&[("HOST", "::1")]), "");
    assert_eq!(told(&[("HOST", "0.0.0.0"), ("PUBLIC_URL", "https://a.example")]), "");
    let proxies = told(&[("TRUSTED_PROXIES", "10.0.0.0/8,::/0")]);
    assert!(proxies.starts_with("TRUSTED_PROXIES trusts addresses of the whole Internet"), "{proxies}");
    assert_eq!(told(&[("TRUSTED_PROXIES", "10.0.0.0/8,127.0.0.1,fc00::/7")]), "");
    let redis = told(&[("REDIS_URL", "redis://u:marker@cache")]);
    assert!(redis.starts_with("REDIS_URL sends a password in the clear") && !redis.contains("marker"), "{redis}");
    let pages = [("VERIFY_URL", "https://a.example/v#{token}"), ("RESET_URL", "https://a.example/r#{token}")];
    assert_eq!(told(&[("HOST", "0.0.0.0"), pages[0], pages[1]]), "");
    let links = |environment: &[(&str, &str)]| read(environment).unwrap().mail.links.clone();
    assert_eq!(links(&pages).verify, "https://a.example/v#{token}");
    assert_eq!(links(&[("HOST", "0.0.0.0"), ("PORT", "80")]).reset, "http://localhost:80/account/reset?token={token}");
    assert_eq!(links(&[("HOST", "::1")]).reset, "http://[::1]:8000/account/reset?token={token}");
    assert_eq!(
        links(&[("PUBLIC_URL", "https://a.example/b/")]).verify,
        "https://a.example/b/account/verify?token={token}"
    );
}

#[test]
fn debug_lowers_what_is_asked_of_hashes_and_of_log_lines() {
    let settings = read(&[("DEBUG", "1"), ("BCRYPT_COST", "4")]).unwrap();
    assert_eq!(settings.passwords.bcrypt_cost, 4);
    assert_eq!(settings.warnings.len(), 1);
    assert_eq!(settings.logging.level, Level::Debug);
    let told = read(&[("DEBUG", "1"), ("LOG_LEVEL", "error")]).unwrap();
    assert_eq!(told.logging.level, Level::Error);
    assert!(read(&[("DEBUG", "1"), ("BCRYPT_COST", "3")]).is_err());
}

#[test]
fn a_broken_line_of_the_file_is_named_by_its_number_alone() {
    let error = sources(&[], "PORT=1\nSECRET_KEY='marker\n").err().unwrap().to_string();
    assert!(error.starts_with(".env: line 2 cannot be read; accepted: "), "{error}");
    assert!(!error.contains("marker"));
}

#[test]
fn no_secret_is_ever_shown() {
    let environment = [
        ("DATABASE_URL", "postgresql://ada:marker@db/app?sslmode=require&password=marker"),
        ("REDIS_URL", "redis://marker:marker@cache:7000/1"),
        ("SMTP_URL", "smtps://marker:m%61rker@mail.example.org"),
        ("MAIL_FROM", "no-reply@example.org"),
        ("ENCRYPTION_KEY", SECRET),
    ];
    let sources = sources(&environment, &format!("SECRET_KEY='{SECRET}'\nPORT=9")).unwrap();
    let settings = Settings::read(&sources).unwrap();
    assert!(!format!("{settings:?}").contains("marker"));
    let printed = render(&sources);
    assert!(!printed.contains("marker"), "{printed}");
    for line in [
        "DATABASE_URL=postgresql://ada:***@db/app?sslmode=require&password=***  # environment",
        "REDIS_URL=redis://cache:7000  # environment",
        "SMTP_URL=smtps://mail.example.org:465  # environment",
        "SECRET_KEY=(set, 39 bytes)  # .env",
        "ENCRYPTION_KEY=(set, 39 bytes)  # environment",
        "PORT=9  # .env",
        "HOST=127.0.0.1  # default",
        "CORS_ORIGINS=(not set)  # default",
    ] {
        assert!(printed.lines().any(|l| l == line), "{line} is not in\n{printed}");
    }
    for setting in SETTINGS.into_iter().flatten() {
        let value = Settings::read(&self::sources(&[(setting.name, "marker\u{1b}")], "").unwrap());
        let text = value.unwrap_err().to_string();
        assert!(!text.contains("marker"), "{text}");
    }
}

#[test]
fn example_lists_every_setting_with_default_and_refused_secret() {
    let error = Settings::read(&sources(&[], EXAMPLE).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("SECRET_KEY: is a sample "), "{error}");
    let named: Vec<_> = EXAMPLE.lines().filter_map(|line| line.trim_start_matches("# ").split_once('=')).collect();
    for setting in SETTINGS.into_iter().flatten() {
        let (_, value) =
            named.iter().find(|(name, _)| *name == setting.name).unwrap_or_else(|| panic!("{}", setting.name));
        assert!(setting.default.is_none_or(|default| default == *value), "{}", setting.name);
    }
    for name in family::names("CORP") {
        assert!(named.iter().any(|(found, _)| *found == name), "{name}");
    }
    assert_eq!(named.len(), SETTINGS.into_iter().flatten().count() + family::names("CORP").len());
    let all = EXAMPLE
        .replace("# CORS", "CORS")
        .replace("# TRUSTED", "TRUSTED")
        .replace("# REDIS", "REDIS")
        .replace("# METRICS", "METRICS")
        .replace("# PUBLIC", "PUBLIC")
        .replace("# VERIFY", "VERIFY")
        .replace("# RESET", "RESET")
        .replace("# SMTP", "SMTP")
        .replace("# MAIL_FROM", "MAIL_FROM")
        .replace("# MAIL_TEMPLATES", "MAIL_TEMPLATES");
    assert!(Settings::read(&sources(&[("SECRET_KEY", SECRET)], &all).unwrap()).is_ok());
}

#[test]
fn settings_file_may_be_missing_but_not_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let load = || Sources::load([("PORT".into(), "7".into())], folder.path());
    assert!(load().is_ok());
    std::fs::create_dir(folder.path().join(".env")).unwrap();
    assert!(load().is_ok());
    for file in ["portcullis.toml", ".env"] {
        std::fs::remove_dir(folder.path().join(".env")).ok();
        std::fs::write(folder.path().join(file), b"PORT=\xe9").unwrap();
        let line = load().err().unwrap().to_string();
        std::fs::remove_file(folder.path().join(file)).unwrap();
        assert!(line.starts_with(&format!("{file}: ")), "{line}");
    }
    std::fs::create_dir(folder.path().join("portcullis.toml")).unwrap();
    assert!(load().err().unwrap().to_string().starts_with("portcullis.toml: "));
}
