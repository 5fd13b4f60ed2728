//! Accepted and refused values of each setting. Those of traces are in `tests.rs`.

use super::tests::SECRET;
use super::{Settings, SettingsError, Sources};
use chrono::TimeDelta;
use portcullis_domain::limits::{Gcra, Rule, SlidingWindow};
use portcullis_domain::mail::Occasion::{NewDevice, SessionTheft};
use portcullis_usecases::mail::Notices;
use std::num::NonZeroU32;
use std::time::Duration;

/// Setting, accepted values and refused values, separated by `|`.
const TABLE: &[(&str, &str, &str)] = &[
    ("ACCESS_TOKEN_EXPIRE_MINUTES", "1|43200", "0|-1|43201|1.5"),
    ("REFRESH_TOKEN_EXPIRE_DAYS", "1|36500", "0|36501"),
    ("REFRESH_GRACE_SECONDS", "0|3600", "3601"),
    ("REFRESH_OVERLAP_SECONDS", "0|3600", "3601"),
    ("SESSION_MAX_AGE_DAYS", "1|36500", "0|36501"),
    ("MAX_SESSIONS_PER_USER", "1|1000", "0|1001"),
    ("PASSWORD_MIN_LENGTH", "8|256", "7|257"),
    ("BCRYPT_COST", "10|15", "9|16|31"),
    ("HASH_LANES", "1|6", "0|7|auto"),
    ("PORT", "0|65535| 8000 |070", "65536|99999999999999999999999|-1|+1|1.0|1e1|١"),
    ("KEEP_ALIVE_SECONDS", "1|3600", "0|3601"),
    ("SHUTDOWN_DELAY_SECONDS", "0|3600", "3601"),
    ("SHUTDOWN_TIMEOUT_SECONDS", "0|3600", "3601"),
    ("MAX_CONNECTIONS", "16|1000000", "15|1000001"),
    ("HSTS_SECONDS", "0|315360000", "315360001"),
    ("ALGORITHM", "HS384|HS512", "hs256|none"),
    ("LOG_LEVEL", "debug|Warning|CRITICAL|warn|FATAL|NotSet", "TRACE|20"),
    ("LOG_FORMAT", "auto|JSON|text", "xml"),
    ("LOG_HEALTH", "off|true", "quiet"),
    ("DATABASE_URL", "postgres://u:p@h/d|postgresql+psycopg2://h/d", "sqlite://|h/d"),
    ("APP_NAME", "Zugang|Zugang zu \u{1f510}", "a\u{1b}b|a\nb|a\u{1b}[31m"),
    ("DATABASE_CONNECTIONS", "1|1000", "0|1001|many"),
    ("AUTO_MIGRATE", "no|True|TRUE|1|yes|On|t|y|False|0|NO|off|f|n", "never|2|maybe|truee|''"),
    ("PURGE_INTERVAL_MINUTES", "0|1|10080", "-1|10081|1.5|hourly"),
    ("PASSWORD_BLOCKLIST", "on", "list"),
    ("MFA_REQUIRED", "true", "always"),
    ("MFA_TRUST_DAYS", "0|365", "366|-1"),
    ("STEP_UP_MINUTES", "1|1440", "0|1441"),
    ("AUTH_CLAIMS", "default|Always", "true|never"),
    ("RATE_LIMIT_ENABLED", "off", "never"),
    (
        "RATE_LIMIT_ACCOUNT",
        "1/1s|100/24h",
        "10|10/|/15m|10/15|10/15d|0/15m|101/15m|10/0m|10/25h|10/86401s|-1/15m|10/1.5m|10/15m,burst=3|10 / 15m|10/é",
    ),
    ("RATE_LIMIT_DEVICE", "1/1s", "many"),
    ("RATE_LIMIT_MAIL", "1/1s", "many"),
    (
        "RATE_LIMIT_SOURCE",
        "1/1s|300/5m,burst=0",
        "300|300/5m,|300/5m,burst|300/5m,burst=|300/5m,burst=-1|300/5m,100|1000001/5m",
    ),
    ("RATE_LIMIT_REFRESH", "120/5m,burst=60|1/1s", "0/5m|many"),
    ("RATE_LIMIT_DEAD_REFRESH", "1/1s", "many"),
    ("RATE_LIMIT_MFA", "1/1s", "many"),
    ("FORWARDED_HEADER", "Forwarded|X-Forwarded-For", "x-real-ip|x-forwarded-for, forwarded"),
    // Needs TRUSTED_PROXIES.
    ("PROXY_PROTOCOL", "false", "true|maybe"),
    (
        "REDIS_URL",
        "redis://localhost|redis://:p@h:7000/1|rediss://h|redis+unix:///s|redis-sentinel://h,i:7000/m",
        "localhost:6379|rediss://h#insecure|redis-sentinel://marker",
    ),
    (
        "PUBLIC_URL",
        "https://auth.example.org|https://example.org:8443/auth/|http://localhost:8000|http://127.0.0.1|http://[::1]:8000/",
        "auth.example.org|ftp://auth.example.org|http://auth.example.org|http://10.0.0.1|http://localhost.example.org|\
         https://|https:///a|https://user:marker@auth.example.org|https://@a|https://auth.example.org:0|\
         https://auth.example.org:https|https://auth.example.org?a=b|https://auth.example.org/#a|\
         https://auth .example.org|https://auth.example.org/\u{e9}|https://auth.example.org/\"|\
         https://auth.example.org/{token}|https://a..b|https://1.2.3.4.5|HTTPS://a.example",
    ),
    (
        "VERIFY_URL",
        "https://a.example/v?t={token}|https://a.example/v#{token}|http://localhost:3000/{token}/v",
        "https://a.example/v|https://a.example/{token}/{token}|https://{token}.example/v|https://a.example/{token}/{id}|\
         http://a.example/{token}|app://verify/{token}",
    ),
    ("RESET_URL", "https://a.example/#{token}", "http://a.example/{token}"),
    ("SMTP_URL", "", "mail.example.org|smtp://u@h|smtps://h?tls=none"),
    ("MAIL_FROM", "a@b.org|A, B <a@b.org>", "a|A <a>|a@b.org, c@d.org"),
    ("MAIL_DIR", "/var/mail", "a\nb"),
    ("PAGE_STYLE", "", "/missing.css|a\nb|."),
    ("PAGE_LOGO", "", "/missing.svg|."),
    ("MAIL_TEMPLATES", "/etc/mail", "a\nb"),
    (
        "MAIL_NOTICES",
        "none|new_device|factor_added,recovery_code_used|identity_linked,identity_unlinked|passkey_added,passkey_removed",
        "all|none,new_device|verify_email|new_device,|new_device;session_theft",
    ),
    ("REQUIRE_VERIFIED_EMAIL", "yes", "always"),
    ("WEBAUTHN_RP_ID", "", "192.0.2.1|[::1]|Example.org|https://example.org|example.org:443"),
    ("REDIRECT_URIS", "https://a.example/b", "http://a.example/b|https://localhost/b"),
    ("PROVIDER_PRIVATE_ADDRESSES", "on", "always"),
    ("TRUSTED_PROXIES", "::1, 10.0.0.0/8", "proxy|10.0.0.1/8|10.0.0.0/8,"),
    (
        "CORS_ORIGINS",
        "https://a.example",
        "*|https://*.example.org|https://a.example.org/|https://a.example.org/path|https://a.example.org?q|\
         https://u@a.example.org|https://a.example.org,|a.example.org|null|capacitor://|tauri://localhost/|ext://*|\
         1a://localhost|a_b://localhost|://localhost|file://localhost|https://|https://a b|https://bücher.example|\
         https://a.example.org:0|https://a.example.org:x|https://a.example.org:|https://1.2.3.4.5|ext://1.2.3.4.5|ext://a..b",
    ),
    ("METRICS_ADDR", "127.0.0.1:9464|[::]:0", "9464|localhost:9464|127.0.0.1|127.0.0.1:65536"),
    (
        "HOST",
        "0.0.0.0|::|[::1]|localhost|auth.example.org|auth_1",
        "0.0.0.0:80|256.0.0.1|1.2.3|localhost:80|[::1|[1.2.3.4]|a b|-a|a-|a..b|a.|http://a|*|bücher.example",
    ),
];

fn read(name: &str, value: &str) -> Result<Settings, SettingsError> {
    Settings::read(&Sources::of(&[("SECRET_KEY", SECRET), (name, value)]))
}

#[test]
fn bounds_are_kept() {
    for (name, good, bad) in TABLE {
        for value in good.split('|').filter(|value| !value.is_empty()) {
            assert!(read(name, value).is_ok(), "{name}={value}");
        }
        for value in bad.split('|') {
            let refusal = read(name, value).err().unwrap_or_else(|| panic!("{name}={value} was accepted")).to_string();
            assert!(refusal.starts_with(&format!("{name}: ")) && !refusal.contains("marker"), "{refusal}");
        }
    }
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let refusal = read("ALGORITHM", algorithm).unwrap_err().to_string();
        assert!(refusal.starts_with("PRIVATE_KEY_FILE: is missing, but ALGORITHM needs it; "), "{refusal}");
    }
    for (name, length) in [("APP_NAME", 101), ("HOST", 64)] {
        assert!(read(name, &"a".repeat(length - 1)).is_ok() && read(name, &"a".repeat(length)).is_err(), "{name}");
    }
}

#[test]
fn values_are_read_as_they_are_meant() {
    let settings = |name, value| read(name, value).unwrap();
    assert_eq!(settings("HOST", "[::1]").server.host, "::1");
    assert_eq!(settings("PUBLIC_URL", "https://a.example:8443/auth/").mail.public_url, "https://a.example:8443/auth");
    assert_eq!(settings("PUBLIC_URL", "https://Id.Example.org:443/auth").mail.public_origin, "https://id.example.org");
    assert_eq!(settings("VERIFY_URL", "https://a.example/v#{token}").mail.links.verify, "https://a.example/v#{token}");
    let notices = settings("MAIL_NOTICES", "new_device, session_theft").mail.notices.clone();
    assert_eq!(notices, Notices::only(&[NewDevice, SessionTheft]));
    assert_eq!(settings("MAIL_NOTICES", "none").mail.notices, Notices::only(&[]));
    for (text, origins) in [
        ("https://app.example.org", "https://app.example.org"),
        ("https://App.Example.org:443 , http://localhost:3000", "https://app.example.org|http://localhost:3000"),
        ("http://127.0.0.1:80,http://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:8080,http://[::1]", "http://[::1]:8080|http://[::1]"),
        ("capacitor://localhost,Tauri://localhost", "capacitor://localhost|tauri://localhost"),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
        ("app+x.1://Some-Host:80", "app+x.1://Some-Host:80"),
    ] {
        assert_eq!(settings("CORS_ORIGINS", text).server.cors_origins.join("|"), origins);
    }
    assert_eq!(settings("MFA_TRUST_DAYS", "30").mfa.trust, Some(TimeDelta::days(30)));
    assert_eq!(settings("STEP_UP_MINUTES", "5").mfa.step_up_age, TimeDelta::minutes(5));
    assert!(settings("MFA_REQUIRED", "yes").mfa.is_required && settings("AUTH_CLAIMS", "always").mfa.claims_always);
    let (some, minute) = (|n| NonZeroU32::new(n).unwrap(), Duration::from_mins(1));
    for (text, flow) in [
        ("300/300s , burst=100", Gcra::new(some(300), 5 * minute, some(101))),
        ("300/5m", Gcra::new(some(300), 5 * minute, some(300))),
        ("1/30s,burst=0", Gcra::new(some(1), minute / 2, some(1))),
    ] {
        assert_eq!(settings("RATE_LIMIT_SOURCE", text).limits.rules.unwrap().source, Rule::Gcra(flow), "{text}");
    }
    let mail = settings("RATE_LIMIT_MAIL", "10/15m").limits.rules.unwrap().mail;
    assert_eq!(mail, Rule::SlidingWindow(SlidingWindow::new(some(10), 15 * minute)));
}
