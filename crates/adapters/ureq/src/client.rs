//! The client.

use crate::policy::AddressPolicy;
use crate::resolver::{AddressRefused, GuardedResolver, Lookup, system_lookup};
use portcullis_ports::{OutboundError, OutboundHttp, OutboundRequest, OutboundResponse};
use std::time::Duration;
use ureq::config::Config;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Error, RequestBuilder};

/// Maximum duration of a call, from the lookup of the host to the last byte.
const TOTAL: Duration = Duration::from_secs(5);
/// Maximum size of a body in bytes.
const MAX_BODY: u64 = 256 * 1024;
/// Maximum size of status line and header fields in bytes.
const MAX_HEADER: usize = 32 * 1024;
const USER_AGENT: &str = concat!("Portcullis/", env!("CARGO_PKG_VERSION"));

/// HTTP client of ureq. Verifies certificates by the system's roots, or by `SSL_CERT_FILE` and `SSL_CERT_DIR`.
#[derive(Debug)]
pub struct UreqHttp {
    agent: Agent,
    policy: AddressPolicy,
}

impl UreqHttp {
    /// Creates a client with these rules for addresses.
    #[must_use]
    pub fn new(policy: AddressPolicy) -> Self {
        Self::with(policy, TOTAL, system_lookup)
    }

    fn with(policy: AddressPolicy, total: Duration, lookup: Lookup) -> Self {
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier);
        let config = Config::builder()
            .tls_config(tls.build())
            .timeout_global(Some(total))
            .max_redirects(0)
            .proxy(None)
            .user_agent(USER_AGENT)
            .max_response_header_size(MAX_HEADER)
            // Calls are rare, and a kept connection may be dead.
            .max_idle_connections(0)
            .http_status_as_error(false)
            .build();
        let resolver = GuardedResolver { policy: policy.clone(), lookup };
        Self { agent: Agent::with_parts(config, DefaultConnector::default(), resolver), policy }
    }

    fn send(&self, url: &str, request: &OutboundRequest) -> Result<OutboundResponse, Error> {
        let mut response = match &request.form {
            None => with_headers(self.agent.get(url), request).call()?,
            Some(form) => {
                let form = form.iter().map(|(name, value)| (*name, value.as_str()));
                with_headers(self.agent.post(url), request).send_form(form)?
            }
        };
        let date = response.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_BODY).read_to_vec()?;
        Ok(OutboundResponse { status, date, body })
    }
}

impl OutboundHttp for UreqHttp {
    fn call(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let url = self.policy.read(&request.url)?;
        self.send(url.as_str(), request).map_err(outbound_error)
    }
}

fn with_headers<B>(builder: RequestBuilder<B>, request: &OutboundRequest) -> RequestBuilder<B> {
    request.headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, value))
}

/// Translates an error. Only texts without any part of the request and the response.
fn outbound_error(error: Error) -> OutboundError {
    let what = match error {
        Error::Other(error) if error.is::<AddressRefused>() => return OutboundError::Forbidden(error.to_string()),
        Error::Http(_) | Error::BadUri(_) => return OutboundError::Forbidden("the request is not valid".to_owned()),
        Error::BodyExceedsLimit(_) => return OutboundError::TooLarge,
        Error::LargeResponseHeader(..) => "the response header is too large".to_owned(),
        Error::Timeout(_) => "no complete response in time".to_owned(),
        Error::HostNotFound => "the host name does not resolve".to_owned(),
        Error::Protocol(_) => "the response is not valid HTTP".to_owned(),
        Error::Io(error) => error.kind().to_string(),
        Error::NativeTls(error) => error.to_string(),
        _ => "the call failed".to_owned(),
    };
    OutboundError::Unavailable(what)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
