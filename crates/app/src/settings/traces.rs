//! Trace settings, with OpenTelemetry's names. These variables are often set for all services of a machine:
//! if no traces are sent, the other variables are not validated.

use super::setting::{self, InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use super::value;
use super::warning::Warning;
use portcullis_telemetry::{Endpoint, Header, Sampler};
use secrecy::{ExposeSecret, SecretString};

const ENDPOINT: Setting = Setting {
    name: "OTEL_EXPORTER_OTLP_ENDPOINT",
    default: None,
    accepted: "http://host:port of a collector that accepts OTLP over HTTP, such as http://localhost:4318",
    display: str::to_owned,
};
const PROTOCOL: Setting = Setting {
    name: "OTEL_EXPORTER_OTLP_PROTOCOL",
    default: Some("http/protobuf"),
    accepted: "http/protobuf",
    display: str::to_owned,
};
const HEADERS: Setting = Setting {
    name: "OTEL_EXPORTER_OTLP_HEADERS",
    default: None,
    accepted: "comma-separated name=value pairs, with commas in values percent-encoded",
    display: setting::secret,
};
const DISABLED: Setting = Setting {
    name: "OTEL_SDK_DISABLED",
    default: Some("false"),
    accepted: "true (in any case) to send no traces; anything else counts as false",
    display: str::to_owned,
};
const EXPORTER: Setting = Setting {
    name: "OTEL_TRACES_EXPORTER",
    default: Some("otlp"),
    accepted: "otlp, or none to send no traces; other names in a comma-separated list are ignored",
    display: str::to_owned,
};
const SERVICE_NAME: Setting = Setting {
    name: "OTEL_SERVICE_NAME",
    default: Some("portcullis"),
    accepted: "a line of at most 100 characters",
    display: str::to_owned,
};
const SAMPLER: Setting = Setting {
    name: "OTEL_TRACES_SAMPLER",
    default: Some("parentbased_always_on"),
    accepted: "parentbased_always_on, parentbased_always_off, parentbased_traceidratio, always_on, always_off, traceidratio",
    display: str::to_owned,
};
const SAMPLER_ARG: Setting = Setting {
    name: "OTEL_TRACES_SAMPLER_ARG",
    default: Some("1.0"),
    accepted: "the fraction of traces that the traceidratio samplers keep, a number from 0 to 1",
    display: str::to_owned,
};

pub(super) const SETTINGS: [Setting; 8] =
    [ENDPOINT, PROTOCOL, HEADERS, DISABLED, EXPORTER, SERVICE_NAME, SAMPLER, SAMPLER_ARG];

/// Settings of traces.
#[derive(Debug)]
pub(crate) struct Traces {
    /// `None`: tracing is off.
    pub(crate) endpoint: Option<Endpoint>,
    headers: Option<SecretString>,
    pub(crate) service: String,
    pub(crate) sampler: Sampler,
}

impl Traces {
    pub(super) fn read(sources: &Sources, warnings: &mut Vec<Warning>) -> Result<Self, SettingsError> {
        for setting in &SETTINGS {
            // A variable without effect must only not be empty.
            sources.optional(setting, |_| Ok::<_, InvalidValue>(()))?;
        }
        if sources.is_default(&ENDPOINT) || !is_wanted(sources, warnings)? {
            return Ok(Self::none());
        }
        let endpoint = sources.optional(&ENDPOINT, Endpoint::parse)?;
        sources.required(&PROTOCOL, read_protocol)?;
        let ratio = sources.required(&SAMPLER_ARG, read_ratio)?;
        Ok(Self {
            endpoint,
            headers: sources.optional(&HEADERS, read_headers)?,
            service: sources.required(&SERVICE_NAME, value::title)?,
            sampler: sources.required(&SAMPLER, |text| read_sampler(text, ratio))?,
        })
    }

    /// Returns settings that send no traces.
    fn none() -> Self {
        Self { endpoint: None, headers: None, service: String::new(), sampler: Sampler::new(0.0) }
    }

    /// Returns the headers of every request to the collector.
    pub(crate) fn headers(&self) -> Vec<Header> {
        let headers = self.headers.as_ref().map(|headers| Header::parse_list(headers.expose_secret()));
        headers.and_then(Result::ok).unwrap_or_default()
    }
}

/// Returns whether traces are wanted. As the OpenTelemetry specification requires, unknown values count as
/// unset, with a warning.
fn is_wanted(sources: &Sources, warnings: &mut Vec<Warning>) -> Result<bool, SettingsError> {
    let disabled = sources.required(&DISABLED, |text| Ok::<_, InvalidValue>(text.to_ascii_lowercase()))?;
    let exporters = sources.required(&EXPORTER, |text| Ok::<_, InvalidValue>(text.to_ascii_lowercase()))?;
    if !matches!(disabled.as_str(), "true" | "false") {
        let what = "OTEL_SDK_DISABLED is neither true nor false, and counts as false";
        warnings.push(Warning::new(what, "set it to true to send no traces, or unset it"));
    }
    let named = |name: &str| exporters.split(',').any(|exporter| exporter.trim() == name);
    let none = named("none") && !named("otlp");
    if !none && !named("otlp") {
        let what = "OTEL_TRACES_EXPORTER names no exporter that is built in, and counts as otlp";
        warnings.push(Warning::new(what, "set it to otlp, or to none to send no traces"));
    }
    Ok(disabled != "true" && !none)
}

fn read_protocol(text: &str) -> Result<(), InvalidValue> {
    if text.eq_ignore_ascii_case("http/protobuf") { Ok(()) } else { Err(InvalidValue("is not supported")) }
}

fn read_headers(text: &str) -> Result<SecretString, InvalidValue> {
    Header::parse_list(text).map_err(|_| InvalidValue("is not a list of headers, or has a reserved header"))?;
    Ok(text.into())
}

fn read_ratio(text: &str) -> Result<f64, InvalidValue> {
    let ratio = text.parse().map_err(|_| InvalidValue("is not a number"))?;
    if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err(InvalidValue("is out of range")) }
}

fn read_sampler(text: &str, ratio: f64) -> Result<Sampler, InvalidValue> {
    let text = text.to_ascii_lowercase();
    let (followed, rule) = text.strip_prefix("parentbased_").map_or((false, text.as_str()), |rule| (true, rule));
    let sampler = match rule {
        "always_on" => Sampler::new(1.0),
        "always_off" => Sampler::new(0.0),
        "traceidratio" => Sampler::new(ratio),
        _ => return Err(InvalidValue("is not a sampler")),
    };
    Ok(if followed { sampler } else { sampler.regardless_of_callers() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    const SENT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
    /// Valid for other services but not for this one.
    const OF_OTHERS: [(&str, &str); 4] = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("OTEL_TRACES_SAMPLER_ARG", "endpoint=http://localhost:14250"),
        ("OTEL_SERVICE_NAME", "a\nb"),
    ];

    /// Reads the section. Returns whether traces are sent, and the warnings.
    fn read(variables: &[(&str, &str)]) -> (Result<bool, SettingsError>, String) {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let sources = Sources::merge(variables, "", "", |_| Err(ErrorKind::NotFound)).unwrap();
        let mut warnings = Vec::new();
        let traces = Traces::read(&sources, &mut warnings).map(|traces| traces.endpoint.is_some());
        (traces, warnings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn foreign_otel_settings_are_ignored_while_tracing_is_off() {
        assert_eq!(read(&OF_OTHERS), (Ok(false), String::new()));
        for off in [("OTEL_SDK_DISABLED", "True"), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_TRACES_EXPORTER", " NONE ")]
        {
            let all = [OF_OTHERS.as_slice(), &[SENT, off]].concat();
            assert_eq!(read(&all), (Ok(false), String::new()), "{off:?}");
        }
        for bad in OF_OTHERS {
            let (refused, _) = read(&[SENT, bad]);
            assert!(refused.unwrap_err().to_string().starts_with(bad.0), "{bad:?}");
        }
    }

    #[test]
    fn unknown_values_count_as_unset_and_are_warned_of() {
        for (on, warned) in [
            (("OTEL_SDK_DISABLED", "FALSE"), ""),
            (("OTEL_TRACES_EXPORTER", "console, otlp"), ""),
            (("OTEL_SDK_DISABLED", "1"), "OTEL_SDK_DISABLED is neither true nor false"),
            (("OTEL_TRACES_EXPORTER", "zipkin"), "OTEL_TRACES_EXPORTER names no exporter"),
        ] {
            let (read, warnings) = read(&[SENT, on]);
            assert_eq!(read, Ok(true), "{on:?}");
            assert!(warnings.starts_with(warned) && warnings.is_empty() == warned.is_empty(), "{warnings}");
        }
    }
}
