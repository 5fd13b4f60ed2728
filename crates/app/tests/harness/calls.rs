//! Ordinary HTTP calls, each on a separate connection.

use super::services::Service;
use serde_json::Value;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{HeaderMap, Method, Request, request::Builder};

/// Longer than the service may take for any request.
const TIMEOUT: Duration = Duration::from_secs(60);

const BUFFER: usize = 16 * 1024;

pub(crate) fn agent(idle_connections: usize) -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT));
    let config = config.max_redirects(0).allow_non_standard_methods(true);
    // The default of 128 KiB takes longer to clear than most calls, without optimization.
    let config = config.input_buffer_size(BUFFER).output_buffer_size(BUFFER);
    config.max_idle_connections(idle_connections).max_idle_connections_per_host(idle_connections).build().into()
}

/// HTTP request, still to be sent.
pub(crate) struct Call {
    agent: Agent,
    request: Builder,
    body: Option<Vec<u8>>,
}

impl Call {
    pub(crate) fn new(service: &Service, method: &str, path: &str) -> Self {
        Self::with(agent(0), service, method, path)
    }

    pub(crate) fn with(agent: Agent, service: &Service, method: &str, path: &str) -> Self {
        let uri = format!("http://{}{path}", service.address);
        let request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(uri);
        Self { agent, request, body: None }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        if media_type.is_empty() { self } else { self.header("Content-Type", media_type) }
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub(crate) fn form(self, body: &str) -> Self {
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sends the request. A missing response is an error.
    pub(crate) fn attempt(self) -> Result<Reply, ureq::Error> {
        let request = self.shown();
        let response = match self.body {
            Some(body) => self.agent.run(self.request.body(body)?),
            None => self.agent.run(self.request.body(())?),
        }?;
        let (head, mut body) = response.into_parts();
        let body = body.with_config().limit(64 << 20).read_to_vec()?;
        Ok(Reply { request, status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Returns the request's start, for messages of failed assertions.
    fn shown(&self) -> String {
        let (method, uri) = (self.request.method_ref().unwrap(), self.request.uri_ref().unwrap());
        let body = String::from_utf8_lossy(self.body.as_deref().unwrap_or_default()).into_owned();
        let shown = format!("{method} {uri} {:?} {body:?}", self.request.headers_ref().unwrap());
        shown.chars().take(500).collect()
    }

    pub(crate) fn send(self) -> Reply {
        self.attempt().expect("an answer")
    }
}

/// HTTP response.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// Request that it answers, shortened.
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// Returns the body, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        let media_type = self.header("Content-Type").unwrap_or_default();
        assert!(media_type.starts_with("application/json") || media_type.contains("+json"), "{media_type:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn request_id(&self) -> &str {
        self.header("X-Request-ID").expect("X-Request-ID")
    }

    /// Checks the status and returns the body.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}\n{}", self.request, self.text());
        self.json()
    }

    /// Checks that the response is the contract's error with its envelope, and returns the details.
    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["error"]["code"], code, "{}\n{body}", self.request);
        assert_eq!(members(&body), ["error", "request_id"]);
        assert_eq!(members(&body["error"]), ["code", "details", "message"]);
        assert!(!body["error"]["message"].as_str().unwrap().is_empty());
        assert!(body["error"]["details"].is_object());
        assert_eq!(body["request_id"], self.request_id());
        body["error"]["details"].clone()
    }

    /// Checks for a validation error and returns the invalid fields.
    #[track_caller]
    pub(crate) fn expect_fields(&self, fields: &[&str]) {
        let details = self.expect_error(422, "VALIDATION_ERROR");
        let errors = details["errors"].as_array().expect("details.errors");
        for error in errors {
            assert_eq!(members(error), ["code", "field", "message"]);
            assert!(error.as_object().unwrap().values().all(|v| v.as_str().is_some_and(|s| !s.is_empty())));
        }
        let found: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(found, fields, "{}\n{details}", self.request);
    }

    /// Checks for the contract's 503.
    #[track_caller]
    pub(crate) fn expect_unavailable(&self) {
        self.expect_error(503, "SERVICE_UNAVAILABLE");
        let seconds: u32 = self.header("Retry-After").expect("Retry-After").parse().unwrap();
        assert!((1..=60).contains(&seconds), "Retry-After: {seconds}");
    }
}

/// Returns the sorted member names of an object.
pub(crate) fn members(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

impl Service {
    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self, method, path)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.call("GET", path).send()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path).json(body).send()
    }
}
