//! Detects misspelt settings in the environment and in `.env`. An unknown name is not an error there, since
//! other programs use the environment too. A near miss gets a warning, because a misspelt setting that has
//! no effect may be a security setting.

/// Minimum length of a setting's name. Shorter names resemble too many names of other programs.
const MIN_CHARS: usize = 6;
/// Length from which two mistakes are allowed: such a name hardly belongs to another program.
const LONG: usize = 14;
/// A variable of other programs that resembles `MAIL_DIR`.
const FOREIGN: &str = "MAILDIR";

/// Name of a setting.
pub(super) struct KnownName {
    name: String,
    essence: String,
}

impl From<String> for KnownName {
    fn from(name: String) -> Self {
        Self { essence: essence(&name), name }
    }
}

/// Returns the known name that was probably meant, or `None`.
pub(super) fn meant<'a>(name: &str, known: &'a [KnownName]) -> Option<&'a str> {
    let upper = name.to_ascii_uppercase();
    if upper == FOREIGN || known.iter().any(|known| known.name == upper) {
        return None;
    }
    let long_enough = || known.iter().filter(|known| known.essence.len() >= MIN_CHARS);
    // Orchestrators set names such as PORTCULLIS_PORT for a service with this name.
    if let Some(rest) = upper.strip_prefix("PORTCULLIS_") {
        return long_enough().find(|known| known.name == rest).map(|known| known.name.as_str());
    }
    let essence = essence(&upper);
    let chars = essence.chars().count();
    let near = long_enough().filter_map(|known| {
        let allowed = if known.essence.len() < LONG { 1 } else { 2 };
        // Spares most comparisons, which would take a fifth of a start.
        if known.essence.len().abs_diff(chars) > allowed {
            return None;
        }
        let mistakes = strsim::osa_distance(&known.essence, &essence);
        (mistakes <= allowed).then_some((mistakes, known.name.as_str()))
    });
    near.min_by_key(|(mistakes, _)| *mistakes).map(|(_, known)| known)
}

/// Returns the words of a name in the singular, without separators.
fn essence(name: &str) -> String {
    name.split(['_', '-', '.']).map(singular).collect()
}

fn singular(word: &str) -> String {
    match (word.strip_suffix("IES"), word.strip_suffix('S')) {
        (Some(stem), _) if !stem.is_empty() => format!("{stem}Y"),
        (_, Some(stem)) if !stem.is_empty() && !stem.ends_with('S') => stem.to_owned(),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sources::known_names;
    use super::super::{Sources, WithoutKeys};
    use super::*;
    use std::io::ErrorKind;

    fn known() -> Vec<KnownName> {
        known_names().into_iter().map(KnownName::from).collect()
    }

    #[test]
    fn a_near_miss_is_known_for_what_was_meant() {
        let known = known();
        for (name, setting) in [
            ("CORS_ORIGIN", "CORS_ORIGINS"),
            ("cors-origins", "CORS_ORIGINS"),
            ("SECRETKEY", "SECRET_KEY"),
            ("SECRET_KYE", "SECRET_KEY"),
            ("SECRET_KEYFILE", "SECRET_KEY_FILE"),
            ("DATABASE_URI", "DATABASE_URL"),
            ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
            ("ACCESS_TOKEN_EXPIRES_MINUTE", "ACCESS_TOKEN_EXPIRE_MINUTES"),
            ("RATE_LIMITS_ENABLED", "RATE_LIMIT_ENABLED"),
            ("REQUIRE_VERIFED_EMAILS", "REQUIRE_VERIFIED_EMAIL"),
            ("LOGLEVEL", "LOG_LEVEL"),
            ("PORTCULLIS_SECRET_KEY", "SECRET_KEY"),
            ("portcullis_log_level", "LOG_LEVEL"),
        ] {
            assert_eq!(meant(name, &known), Some(setting), "{name}");
        }
        for KnownName { name, .. } in &known {
            assert_eq!(meant(name, &known), None, "{name} is a setting");
            assert_eq!(meant(&name.to_ascii_lowercase(), &known), None, "{name} is a setting");
        }
    }

    #[test]
    fn names_of_other_programs_are_left_alone() {
        let known = known();
        let others = "PATH HOME USER LOGNAME SHELL TERM LANG PWD OLDPWD HOSTNAME HOST_IP HOSTS PORTS PORT_HTTP MAIL MAILDIR \
                      MAILCHECK TMPDIR EDITOR DISPLAY DEBUGS DEBUG_MODE DEBUGINFOD_URLS DATABASE_HOST DATABASE_PORT \
                      DATABASE_NAME DATABASE_USER DATABASE_SSL DATABASE_PASSWORD DB_URL REDIS_HOST REDIS_PORT REDIS_TLS_URL \
                      SMTP_HOST SMTP_PORT SMTP_USER APP_ENV APP_HOME APP_KEY LOG_DIR LOG_FILE SECRET_KEY_BASE JWT_SECRET \
                      JWT_ALGORITHM API_KEY KUBERNETES_PORT KUBERNETES_SERVICE_HOST PORTCULLIS_PORT PORTCULLIS_HOST \
                      PORTCULLIS_SERVICE_HOST PORTCULLIS_PORT_8000_TCP_ADDR PORTCULLIS_TEST_PG_BIN CARGO_HOME RUST_LOG \
                      OTEL_LOGS_EXPORTER OTEL_METRICS_EXPORTER OTEL_EXPORTER_OTLP_COMPRESSION OTEL_PROPAGATORS \
                      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT COLUMNS MALLOC_ARENA_MAX NO_COLOR PGHOST PGSSLMODE _ A";
        for name in others.split_whitespace() {
            assert_eq!(meant(name, &known), None, "{name}");
        }
    }

    #[test]
    fn a_misspelt_setting_is_warned_of_without_its_value() {
        let warnings = |environment: &[(&str, &str)], dotenv: &str| -> Vec<String> {
            let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
            let sources = Sources::merge(environment, "", dotenv, |_| Err(ErrorKind::NotFound)).ok().unwrap();
            WithoutKeys::read(&sources).ok().unwrap().warnings.iter().map(ToString::to_string).collect()
        };
        let told =
            warnings(&[("CORS_ORIGIN", "https://marker.example"), ("PATH", "/bin")], "SMTP_URI=smtp://marker\nPORTS=1");
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("CORS_ORIGIN (environment) is not a setting") && told[0].contains("CORS_ORIGINS?"));
        assert!(told[1].starts_with("SMTP_URI (.env) is not a setting") && told[1].contains("SMTP_URL?"));
        assert!(!told.concat().contains("marker"), "{told:?}");
        let both = [("CORS_ORIGIN", "x"), ("CORS_ORIGINS", "https://a.example")];
        assert_eq!(warnings(&both, ""), Vec::<String>::new(), "the name belongs to another program");
    }
}
