//! Client information of a request, as stored with its session.

use crate::limits::ClientAddress;
use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;
use portcullis_domain::sessions::{ClientInfo, UserAgent};

/// Reads the client's IP address and User-Agent from a request.
pub(crate) fn client_info(request: &HttpRequest, client: &ClientAddress) -> ClientInfo {
    let agent = request.headers().get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    ClientInfo { ip_address: client.address, user_agent: agent.and_then(|text| UserAgent::new(&text)) }
}
