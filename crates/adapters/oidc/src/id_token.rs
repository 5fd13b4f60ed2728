//! Parts of an ID token, a JWS in compact serialization (RFC 7515 §3.1).

use crate::client::rejected;
use crate::jwks::{Key, algorithm_of};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use portcullis_json::Object;
use portcullis_ports::ProviderError;
use sha2::{Digest, Sha256, Sha512};

/// Maximum length of a token. Those with the groups of a user have some kilobytes.
const MAX_BYTES: usize = 32 * 1024;

/// ID token whose signature is not checked yet.
pub(crate) struct UnverifiedIdToken<'a> {
    pub(crate) kid: Option<String>,
    pub(crate) algorithm: Algorithm,
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> UnverifiedIdToken<'a> {
    /// Parses the header of a token.
    pub(crate) fn parse(token: &'a str) -> Result<Self, ProviderError> {
        if token.len() > MAX_BYTES {
            return Err(rejected("the ID token is too long"));
        }
        let malformed = || rejected("the ID token is malformed");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| malformed())?;
        let header = Object::parse(&header).ok_or_else(malformed)?;
        let algorithm = header.text("alg").and_then(algorithm_of).ok_or_else(|| rejected("alg"))?;
        // RFC 7515 §4.1.11. A token that brings its own key is a forgery (RFC 8725 §3.10).
        if header.has("crit") || header.has("jwk") {
            return Err(rejected("crit or jwk in the header"));
        }
        // Access and logout tokens of the same issuer have other types (RFC 8725 §3.11).
        if header.has("typ") && !header.text("typ").is_some_and(|typ| typ.eq_ignore_ascii_case("JWT")) {
            return Err(rejected("typ"));
        }
        let kid = crate::client::optional_text(&header, "kid")?.map(str::to_owned);
        Ok(Self { kid, algorithm, signed, payload, signature })
    }

    /// Returns the decoded payload if the key signed the token.
    pub(crate) fn verify(&self, key: &Key) -> Result<Vec<u8>, ProviderError> {
        if !key.verifies(self.signed, self.signature, self.algorithm) {
            return Err(rejected("signature"));
        }
        URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| rejected("the ID token is malformed"))
    }

    /// Checks `at_hash` (OpenID Connect Core 1.0 §3.1.3.6): the left half of the hash that `alg` uses.
    pub(crate) fn check_at_hash(&self, at_hash: &str, access_token: Option<&str>) -> Result<(), ProviderError> {
        let access_token = access_token.ok_or_else(|| rejected("at_hash without an access token"))?;
        let digest = match self.algorithm {
            // Ed25519 hashes with SHA-512 (RFC 8032 §5.1).
            Algorithm::EdDSA => Sha512::digest(access_token).to_vec(),
            _ => Sha256::digest(access_token).to_vec(),
        };
        let left = digest.get(..digest.len() / 2).unwrap_or_default();
        if URL_SAFE_NO_PAD.encode(left) == at_hash { Ok(()) } else { Err(rejected("at_hash")) }
    }
}
