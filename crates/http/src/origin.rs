//! Where a request comes from, as its session remembers it.

use crate::limits::Client;
use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;
use portcullis_domain::sessions::{Origin, UserAgent};

/// The origin of a client's request.
pub(crate) fn origin(request: &HttpRequest, client: &Client) -> Origin {
    let agent = request.headers().get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    Origin { ip_address: client.address, user_agent: agent.and_then(|text| UserAgent::new(&text)) }
}
