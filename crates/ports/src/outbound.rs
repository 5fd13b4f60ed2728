//! HTTP calls to other services: identity providers.

/// Hardened HTTP client: HTTPS only, except to loopback; no redirects; no proxy from the environment; no
/// private, link-local or multicast address unless allowed; 5 s in total; at most 256 KiB of a body.
///
/// ```
/// use portcullis_ports::{OutboundError, OutboundHttp, OutboundRequest};
/// fn fetch(http: &dyn OutboundHttp, url: &str) -> Result<Vec<u8>, OutboundError> {
///     let response = http.call(&OutboundRequest::get(url))?;
///     if response.status == 200 { Ok(response.body) } else { Err(OutboundError::Unavailable("status".into())) }
/// }
/// ```
pub trait OutboundHttp: Send + Sync {
    /// Sends a request and returns the response, with any status. Blocks for up to 5 s.
    ///
    /// # Errors
    /// Returns [`OutboundError`] if no complete response arrived.
    fn call(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError>;
}

/// HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutboundRequest {
    /// Absolute URL.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(&'static str, String)>,
    /// Form to send by `POST` (`application/x-www-form-urlencoded`). `None` sends a `GET`.
    pub form: Option<Vec<(&'static str, String)>>,
}

impl OutboundRequest {
    /// Creates a `GET` request.
    #[must_use]
    pub fn get(url: &str) -> Self {
        Self { url: url.to_owned(), ..Self::default() }
    }

    /// Creates a `POST` request with a form.
    #[must_use]
    pub fn post(url: &str, form: Vec<(&'static str, String)>) -> Self {
        Self { form: Some(form), ..Self::get(url) }
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundResponse {
    /// Status code.
    pub status: u16,
    /// `Date` header field, if there is one.
    pub date: Option<String>,
    /// Body.
    pub body: Vec<u8>,
}

/// Reason why no complete response arrived. The text is for the log and never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The URL or the address that its host resolves to is not allowed.
    #[error("not allowed: {0}")]
    Forbidden(String),
    /// The service is unreachable, too slow, or broke off.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The body is too large.
    #[error("the response is larger than 256 KiB")]
    TooLarge,
    /// The circuit of the destination is open.
    #[error("the circuit is open")]
    CircuitOpen,
}
