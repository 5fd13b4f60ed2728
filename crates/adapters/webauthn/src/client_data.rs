//! Client data (WebAuthn §5.8.1).

use data_encoding::BASE64URL_NOPAD;
use portcullis_domain::passkeys::ClientData;
use portcullis_json::{Json, Object};

/// Bytes that UTF-8 decoding removes (WebAuthn §7.1 step 6).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Parses client data. Ignores unknown members, because browsers add some (§5.8.1.2).
pub(crate) fn parse(bytes: &[u8]) -> Option<ClientData> {
    let object = Object::parse(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes))?;
    let cross_origin = match object.0.get("crossOrigin") {
        None => false,
        Some(Json::Bool(cross_origin)) => *cross_origin,
        Some(_) => return None,
    };
    Some(ClientData {
        kind: object.text("type")?.to_owned(),
        challenge: BASE64URL_NOPAD.decode(object.text("challenge")?.as_bytes()).ok()?,
        origin: object.text("origin")?.to_owned(),
        // The origin of the embedding page is only there if it is another one.
        cross_origin: cross_origin || object.has("topOrigin"),
    })
}
