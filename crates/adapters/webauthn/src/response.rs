//! JSON of credentials (WebAuthn §5.1.8).

use crate::{authenticator_data, cbor::Map, client_data, sha256};
use data_encoding::BASE64URL_NOPAD;
use portcullis_domain::passkeys::{Algorithm, Assertion, CredentialId, Registration};
use portcullis_json::{Json, Object};
use portcullis_ports::MalformedCredential;

/// Maximum length of the JSON. Attestation certificates take some kilobytes.
const MAX_BYTES: usize = 64 * 1024;

/// Maximum number of transports, and of characters of each. WebAuthn §5.8.4 has 6, of up to 10 characters.
const MAX_TRANSPORTS: usize = 8;
const MAX_TRANSPORT: usize = 32;

/// Members that both kinds of credentials have.
struct Credential<'a> {
    id: CredentialId,
    response: &'a Object<'a>,
    extensions: Option<&'a Object<'a>>,
}

/// Parses a `RegistrationResponseJSON`.
pub(crate) fn registration(json: &str) -> Result<Registration, MalformedCredential> {
    let object = parse(json)?;
    let Credential { id, response, extensions } = Credential::read(&object)?;
    let client_data = client_data::parse(&bytes(response, "clientDataJSON")?).ok_or(CLIENT_DATA)?;
    let attestation = bytes(response, "attestationObject")?;
    let authenticator_data = attested_data(&attestation).ok_or(ATTESTATION)?;
    let (authenticator_data, attested) = authenticator_data::parse(&authenticator_data).ok_or(AUTHENTICATOR_DATA)?;
    let attested = attested.ok_or(MalformedCredential("the authenticator data has no credential"))?;
    if attested.credential_id != id {
        return Err(MalformedCredential("the authenticator data has another id"));
    }
    let algorithm = attested.key.algorithm().ok_or(MalformedCredential("the key has no algorithm"))?;
    let key_is_valid = Algorithm::from_cose(algorithm).is_some_and(|known| attested.key.public_key(known).is_some());
    Ok(Registration {
        client_data,
        authenticator_data,
        credential_id: id,
        aaguid: attested.aaguid,
        public_key: attested.encoded.to_vec(),
        algorithm,
        key_is_valid,
        discoverable: extensions.and_then(|extensions| extensions.object("credProps")?.boolean("rk")),
        transports: transports(response)?,
    })
}

/// Parses an `AuthenticationResponseJSON`.
pub(crate) fn assertion(json: &str) -> Result<Assertion, MalformedCredential> {
    let object = parse(json)?;
    let Credential { id, response, .. } = Credential::read(&object)?;
    let client_data_json = bytes(response, "clientDataJSON")?;
    let mut signed = bytes(response, "authenticatorData")?;
    let (authenticator_data, _) = authenticator_data::parse(&signed).ok_or(AUTHENTICATOR_DATA)?;
    signed.extend_from_slice(sha256(&client_data_json).as_ref());
    Ok(Assertion {
        credential_id: id,
        client_data: client_data::parse(&client_data_json).ok_or(CLIENT_DATA)?,
        authenticator_data,
        user_handle: is_present(response, "userHandle").then(|| bytes(response, "userHandle")).transpose()?,
        signed,
        signature: bytes(response, "signature")?,
    })
}

const CLIENT_DATA: MalformedCredential = MalformedCredential("clientDataJSON is malformed");
const ATTESTATION: MalformedCredential = MalformedCredential("attestationObject is malformed");
const AUTHENTICATOR_DATA: MalformedCredential = MalformedCredential("the authenticator data is malformed");

fn parse(json: &str) -> Result<Object<'_>, MalformedCredential> {
    let object = if json.len() <= MAX_BYTES { Object::parse(json.as_bytes()) } else { None };
    object.ok_or(MalformedCredential("not a JSON object, too long, or with duplicate members"))
}

impl<'a> Credential<'a> {
    fn read(object: &'a Object<'a>) -> Result<Self, MalformedCredential> {
        if object.text("type") != Some("public-key") {
            return Err(MalformedCredential("type is not public-key"));
        }
        if object.text("id") != object.text("rawId") {
            return Err(MalformedCredential("id and rawId differ"));
        }
        let id = CredentialId::new(bytes(object, "id")?).ok_or(MalformedCredential("id is empty or too long"))?;
        let response = object.object("response").ok_or(MalformedCredential("response is not an object"))?;
        let extensions = object.object("clientExtensionResults");
        if is_present(object, "clientExtensionResults") && extensions.is_none() {
            return Err(MalformedCredential("clientExtensionResults is not an object"));
        }
        Ok(Self { id, response, extensions })
    }
}

/// Returns the authenticator data of an attestation object (WebAuthn §6.5.4). The statement is ignored.
fn attested_data(attestation: &[u8]) -> Option<Vec<u8>> {
    let (map, rest) = Map::read(attestation)?;
    let is_complete = map.get("fmt")?.is_text() && map.get("attStmt")?.is_map() && rest.is_empty();
    map.get("authData")?.as_bytes().filter(|_| is_complete).cloned()
}

/// Returns the transports that a passkey can store.
fn transports(response: &Object<'_>) -> Result<Vec<String>, MalformedCredential> {
    if !is_present(response, "transports") {
        return Ok(Vec::new());
    }
    let all = response.texts("transports").ok_or(MalformedCredential("transports is not an array of strings"))?;
    let character = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let fits = |name: &&str| (1..=MAX_TRANSPORT).contains(&name.len()) && name.bytes().all(character);
    Ok(all.into_iter().filter(fits).take(MAX_TRANSPORTS).map(str::to_owned).collect())
}

/// Returns whether an optional member has a value. Some password managers write `null` instead of omitting it.
fn is_present(object: &Object<'_>, name: &str) -> bool {
    object.0.get(name).is_some_and(|value| *value != Json::Null)
}

/// Returns a member in base64url without padding.
fn bytes(object: &Object<'_>, name: &'static str) -> Result<Vec<u8>, MalformedCredential> {
    let bytes = object.text(name).and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok());
    bytes.ok_or(MalformedCredential(name))
}
