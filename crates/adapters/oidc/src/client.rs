//! Requests to a provider, strict reading of their JSON, and the errors of both.

use portcullis_json::{Json, Object};
use portcullis_ports::{OutboundHttp, OutboundRequest, OutboundResponse, ProviderError};

/// Returns the error for a response or token that breaks a rule.
pub(crate) fn rejected(reason: &str) -> ProviderError {
    ProviderError::Rejected(reason.to_owned())
}

/// Returns the error for an endpoint that failed.
pub(crate) fn unavailable(endpoint: &str, reason: &dyn std::fmt::Display) -> ProviderError {
    ProviderError::Unavailable(format!("{endpoint}: {reason}"))
}

/// Sends a request that accepts JSON, and returns the response, with any status.
pub(crate) fn call(
    http: &dyn OutboundHttp,
    endpoint: &str,
    request: OutboundRequest,
) -> Result<OutboundResponse, ProviderError> {
    let request = request.header("Accept", "application/json");
    http.call(&request).map_err(|error| unavailable(endpoint, &error))
}

/// Sends a request and returns the response if its status is 200.
pub(crate) fn fetch(
    http: &dyn OutboundHttp,
    endpoint: &str,
    request: OutboundRequest,
) -> Result<OutboundResponse, ProviderError> {
    let response = call(http, endpoint, request)?;
    match response.status {
        200 => Ok(response),
        status => Err(unavailable(endpoint, &format_args!("status {status}"))),
    }
}

/// Parses a body that must be an object. Anything else may come from a proxy, so it counts as
/// an outage.
pub(crate) fn object<'a>(endpoint: &str, body: &'a [u8]) -> Result<Object<'a>, ProviderError> {
    Object::parse(body).ok_or_else(|| unavailable(endpoint, &"not a JSON object"))
}

/// Returns a member that is a string, or `None` if it is missing or null.
pub(crate) fn optional_text<'a>(object: &'a Object<'_>, name: &str) -> Result<Option<&'a str>, ProviderError> {
    match object.0.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(malformed(name)),
    }
}

/// Returns a member that must be a string.
pub(crate) fn text<'a>(object: &'a Object<'_>, name: &str) -> Result<&'a str, ProviderError> {
    object.text(name).ok_or_else(|| malformed(name))
}

/// Returns a member that must be a whole number.
pub(crate) fn integer(object: &Object<'_>, name: &str) -> Result<i64, ProviderError> {
    object.integer(name).ok_or_else(|| malformed(name))
}

/// Returns whether a member is the value `true`.
pub(crate) fn is_true(object: &Object<'_>, name: &str) -> bool {
    object.0.get(name) == Some(&Json::Bool(true))
}

fn malformed(name: &str) -> ProviderError {
    ProviderError::Rejected(format!("{name} is missing or malformed"))
}
