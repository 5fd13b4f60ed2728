//! Trace settings, with OpenTelemetry's names. These variables are often set for all services of a machine:
//! if no traces are sent, the other variables are not validated.

use super::setting::{self, InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use super::value;
use super::warning::Warning;
use percent_encoding::percent_decode_str;
use portcullis_telemetry::{OtlpProtocol, TraceSampler};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use url::Url;

const ENDPOINT: Setting = Setting::new(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    None,
    "http or https URL of a collector that accepts OTLP, such as http://localhost:4318",
);
const PROTOCOL: Setting = Setting::new("OTEL_EXPORTER_OTLP_PROTOCOL", Some("http/protobuf"), "http/protobuf, grpc");
const HEADERS: Setting = Setting::new(
    "OTEL_EXPORTER_OTLP_HEADERS",
    None,
    "comma-separated name=value pairs, with commas in values percent-encoded",
)
.shown_by(setting::secret);
const TIMEOUT: Setting =
    Setting::new("OTEL_EXPORTER_OTLP_TIMEOUT", Some("10000"), "whole milliseconds from 1 to 60000");
const DISABLED: Setting = Setting::new(
    "OTEL_SDK_DISABLED",
    Some("false"),
    "true (in any case) to send no traces; anything else counts as false",
);
const EXPORTER: Setting = Setting::new(
    "OTEL_TRACES_EXPORTER",
    Some("otlp"),
    "otlp, or none to send no traces; other names in a comma-separated list are ignored",
);
const SERVICE_NAME: Setting = Setting::new("OTEL_SERVICE_NAME", Some("portcullis"), "a line of at most 100 characters");
const RESOURCE: Setting = Setting::new(
    "OTEL_RESOURCE_ATTRIBUTES",
    None,
    "comma-separated name=value pairs, with commas in values percent-encoded",
);
const SAMPLER: Setting = Setting::new(
    "OTEL_TRACES_SAMPLER",
    Some("parentbased_always_on"),
    "parentbased_always_on, parentbased_always_off, parentbased_traceidratio, always_on, always_off, traceidratio",
);
const SAMPLER_ARG: Setting = Setting::new(
    "OTEL_TRACES_SAMPLER_ARG",
    Some("1.0"),
    "the fraction of traces that the traceidratio samplers keep, a number from 0 to 1",
);

pub(super) const SETTINGS: [Setting; 10] =
    [ENDPOINT, PROTOCOL, HEADERS, TIMEOUT, DISABLED, EXPORTER, SERVICE_NAME, RESOURCE, SAMPLER, SAMPLER_ARG];

/// Name and value of a header or of a resource attribute.
type Pair = (String, String);

/// Settings of traces.
#[derive(Debug)]
pub(crate) struct Traces {
    /// URL that spans are sent to. `None`: tracing is off.
    pub(crate) endpoint: Option<String>,
    pub(crate) protocol: OtlpProtocol,
    headers: Option<SecretString>,
    pub(crate) timeout: Duration,
    /// Resource attributes, with `service.name`.
    pub(crate) resource: Vec<Pair>,
    pub(crate) sampler: TraceSampler,
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
        let endpoint = sources.optional(&ENDPOINT, read_endpoint)?;
        let protocol = sources.required(&PROTOCOL, read_protocol)?;
        let ratio = sources.required(&SAMPLER_ARG, read_ratio)?;
        let service = sources.required(&SERVICE_NAME, value::title)?;
        let mut resource = sources.optional(&RESOURCE, read_attributes)?.unwrap_or_default();
        if !sources.is_default(&SERVICE_NAME) || !resource.iter().any(|(name, _)| name == "service.name") {
            resource.push(("service.name".to_owned(), service));
        }
        Ok(Self {
            endpoint: endpoint.map(|endpoint| match protocol {
                OtlpProtocol::HttpProtobuf => format!("{endpoint}/v1/traces"),
                OtlpProtocol::Grpc => endpoint,
            }),
            protocol,
            headers: sources.optional(&HEADERS, read_headers)?,
            timeout: Duration::from_millis(sources.required(&TIMEOUT, value::whole_number(1..=60_000))?),
            resource,
            sampler: sources.required(&SAMPLER, |text| read_sampler(text, ratio))?,
        })
    }

    /// Returns settings that send no traces.
    fn none() -> Self {
        Self {
            endpoint: None,
            protocol: OtlpProtocol::HttpProtobuf,
            headers: None,
            timeout: Duration::ZERO,
            resource: Vec::new(),
            sampler: TraceSampler { ratio: 0.0, follows_callers: false },
        }
    }

    /// Returns the headers of every request to the collector.
    pub(crate) fn headers(&self) -> Vec<Pair> {
        let headers = self.headers.as_ref().and_then(|headers| pairs(headers.expose_secret()));
        headers.unwrap_or_default()
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

/// Parses the base URL of a collector. Returns it without a slash at its end.
fn read_endpoint(text: &str) -> Result<String, InvalidValue> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or(InvalidValue("is not an http or https URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidValue("holds a user or a password, which OTEL_EXPORTER_OTLP_HEADERS would hold"));
    }
    if url.port() == Some(0) {
        return Err(InvalidValue("has an invalid port"));
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic()) && url.query().is_none() && url.fragment().is_none();
    if plain { Ok(url.as_str().trim_end_matches('/').to_owned()) } else { Err(InvalidValue("has no plain path")) }
}

fn read_protocol(text: &str) -> Result<OtlpProtocol, InvalidValue> {
    match text.to_ascii_lowercase().as_str() {
        "http/protobuf" => Ok(OtlpProtocol::HttpProtobuf),
        "grpc" => Ok(OtlpProtocol::Grpc),
        _ => Err(InvalidValue("is not supported")),
    }
}

/// Headers that the exporter sets itself.
const OWN_HEADERS: [&str; 7] =
    ["host", "content-type", "content-length", "content-encoding", "connection", "transfer-encoding", "user-agent"];

fn read_headers(text: &str) -> Result<SecretString, InvalidValue> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_header = |(name, value): &Pair| {
        let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !value.trim().is_empty();
        plain && name.bytes().all(token) && !OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str())
    };
    let valid = pairs(text).is_some_and(|pairs| pairs.iter().all(is_header));
    if valid { Ok(text.into()) } else { Err(InvalidValue("is not a list of headers, or has a reserved header")) }
}

fn read_attributes(text: &str) -> Result<Vec<Pair>, InvalidValue> {
    let plain = |text: &str| !text.chars().any(char::is_control);
    let pairs = pairs(text).filter(|pairs| pairs.iter().all(|(name, value)| plain(name) && plain(value)));
    pairs.ok_or(InvalidValue("is not a list of attributes"))
}

/// Parses `name=value,name=value`. Values may be percent-encoded.
fn pairs(text: &str) -> Option<Vec<Pair>> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        Some((name.trim().to_owned(), value.into_owned())).filter(|(name, _)| !name.is_empty())
    };
    text.split(',').map(pair).collect()
}

fn read_ratio(text: &str) -> Result<f64, InvalidValue> {
    let ratio = text.parse().map_err(|_| InvalidValue("is not a number"))?;
    if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err(InvalidValue("is out of range")) }
}

fn read_sampler(text: &str, ratio: f64) -> Result<TraceSampler, InvalidValue> {
    let text = text.to_ascii_lowercase();
    let (follows_callers, rule) = text.strip_prefix("parentbased_").map_or((false, text.as_str()), |rule| (true, rule));
    let ratio = match rule {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => ratio,
        _ => return Err(InvalidValue("is not a sampler")),
    };
    Ok(TraceSampler { ratio, follows_callers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    const SENT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
    /// Valid for other services but not for this one.
    const OF_OTHERS: [(&str, &str); 6] = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name"),
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

    #[test]
    fn address_headers_and_resource_become_what_is_sent() {
        let traces = |variables: &[(&str, &str)]| {
            let all = [&[SENT], variables].concat().into_iter().map(|(name, value)| (name.into(), value.into()));
            let sources = Sources::merge(all, "", "", |_| Err(ErrorKind::NotFound)).unwrap();
            Traces::read(&sources, &mut Vec::new()).unwrap()
        };
        let owned = |pairs: &[(&str, &str)]| -> Vec<Pair> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        for (endpoint, protocol, url) in [
            ("http://localhost:4318", "http/protobuf", "http://localhost:4318/v1/traces"),
            ("https://[::1]/otlp/", "http/protobuf", "https://[::1]/otlp/v1/traces"),
            ("https://a:4317/", "grpc", "https://a:4317"),
        ] {
            let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)];
            assert_eq!(traces(&set).endpoint.as_deref(), Some(url));
        }
        let headers = traces(&[("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20a, x-y = a=%2Cb")]).headers();
        assert_eq!(headers, owned(&[("authorization", "Bearer a"), ("x-y", "a=,b")]));
        let named = ("OTEL_RESOURCE_ATTRIBUTES", "a=1,service.name=attribute");
        for (variables, resource) in [
            (vec![], owned(&[("service.name", "portcullis")])),
            (vec![named], owned(&[("a", "1"), ("service.name", "attribute")])),
            (
                vec![named, ("OTEL_SERVICE_NAME", "own")],
                owned(&[("a", "1"), ("service.name", "attribute"), ("service.name", "own")]),
            ),
        ] {
            assert_eq!(traces(&variables).resource, resource);
        }
    }
}
