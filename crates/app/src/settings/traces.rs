//! The section on traces: where they go, in the words of OpenTelemetry. Without an address none of
//! it has any effect, and is checked all the same.

use super::setting::{self, Fault, Setting, SettingsError};
use super::sources::Sources;
use super::value;
use portcullis_telemetry::{Endpoint, Header, Sampler};
use secrecy::{ExposeSecret, SecretString};

const ENDPOINT: Setting = Setting {
    name: "OTEL_EXPORTER_OTLP_ENDPOINT",
    default: None,
    accepted: "http://host:port of a collector that takes OTLP over HTTP, such as http://localhost:4318",
    shown: str::to_owned,
};
const PROTOCOL: Setting = Setting {
    name: "OTEL_EXPORTER_OTLP_PROTOCOL",
    default: Some("http/protobuf"),
    accepted: "http/protobuf",
    shown: str::to_owned,
};
const HEADERS: Setting = Setting {
    name: "OTEL_EXPORTER_OTLP_HEADERS",
    default: None,
    accepted: "name=value,name=value, values percent-encoded where they hold a comma",
    shown: setting::secret,
};
const SERVICE_NAME: Setting = Setting {
    name: "OTEL_SERVICE_NAME",
    default: Some("portcullis"),
    accepted: "a line of at most 100 characters",
    shown: str::to_owned,
};
const SAMPLER: Setting = Setting {
    name: "OTEL_TRACES_SAMPLER",
    default: Some("parentbased_always_on"),
    accepted: "parentbased_always_on, parentbased_always_off, parentbased_traceidratio, always_on, always_off, traceidratio",
    shown: str::to_owned,
};
const SAMPLER_ARG: Setting = Setting {
    name: "OTEL_TRACES_SAMPLER_ARG",
    default: Some("1.0"),
    accepted: "the part of traces that the samplers with traceidratio keep: a number from 0 to 1",
    shown: str::to_owned,
};

pub(super) const SETTINGS: [Setting; 6] = [ENDPOINT, PROTOCOL, HEADERS, SERVICE_NAME, SAMPLER, SAMPLER_ARG];

/// Where traces go, and which.
#[derive(Debug)]
pub(crate) struct Traces {
    /// None: there are none.
    pub(crate) endpoint: Option<Endpoint>,
    headers: Option<SecretString>,
    pub(crate) service: String,
    pub(crate) sampler: Sampler,
}

impl Traces {
    pub(super) fn read(sources: &Sources) -> Result<Self, SettingsError> {
        // The values of errors hold nothing of the text.
        let endpoint = sources.optional(&ENDPOINT, |text| Ok(Endpoint::parse(text)))?.transpose();
        sources.required(&PROTOCOL, read_protocol)?;
        let ratio = sources.required(&SAMPLER_ARG, read_ratio)?;
        Ok(Self {
            endpoint: endpoint.map_err(|error| ENDPOINT.bad_because(error.to_string()))?,
            headers: sources.optional(&HEADERS, read_headers)?,
            service: sources.required(&SERVICE_NAME, value::title)?,
            sampler: sources.required(&SAMPLER, |text| read_sampler(text, ratio))?,
        })
    }

    /// What goes with every request to the collector.
    pub(crate) fn headers(&self) -> Vec<Header> {
        let headers = self.headers.as_ref().map(|headers| Header::parse_list(headers.expose_secret()));
        headers.and_then(Result::ok).unwrap_or_default()
    }
}

fn read_protocol(text: &str) -> Result<(), Fault> {
    if text == "http/protobuf" { Ok(()) } else { Err(Fault("is not spoken")) }
}

fn read_headers(text: &str) -> Result<SecretString, Fault> {
    Header::parse_list(text).map_err(|_| Fault("is not a list of headers, or has one that is not yours to set"))?;
    Ok(text.into())
}

fn read_ratio(text: &str) -> Result<f64, Fault> {
    let ratio = text.parse().map_err(|_| Fault("is not a number"))?;
    if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err(Fault("is out of range")) }
}

fn read_sampler(text: &str, ratio: f64) -> Result<Sampler, Fault> {
    let (followed, rule) = text.strip_prefix("parentbased_").map_or((false, text), |rule| (true, rule));
    let sampler = match rule {
        "always_on" => Sampler::new(1.0),
        "always_off" => Sampler::new(0.0),
        "traceidratio" => Sampler::new(ratio),
        _ => return Err(Fault("is not a sampler")),
    };
    Ok(if followed { sampler } else { sampler.regardless_of_callers() })
}
