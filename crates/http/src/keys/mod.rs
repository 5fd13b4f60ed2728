//! `GET /.well-known/jwks.json`: public keys for services that verify tokens themselves.

mod dto;

use crate::api::Api;
use crate::errors::{JSON, SkipEnvelope};
use crate::openapi;
use crate::reply::Reply;
use crate::routes::{Table, responds};
use actix_web::body::BoxBody;
use actix_web::http::header::{self, EntityTag, Header, IfNoneMatch};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, Responder};
pub(crate) use dto::{Jwk, JwkSetResponse};
use paperclip::actix::{OperationModifier, api_v2_operation};
use paperclip::v2::models::{DefaultOperationRaw, DefaultSchemaRaw};
use paperclip::v2::schema::Apiv2Schema;
use portcullis_domain::keys::PublicKey;
use serde_json::json;

/// `Cache-Control` of the JWK Set. New keys must be published at least this long before they sign
/// (docs/features/keys.md).
const CACHING: &str = "public, max-age=300";

/// Serialized JWK Set and its `ETag`. Changes only with a restart.
#[derive(Clone)]
pub(crate) struct JwksResponse {
    body: String,
    tag: EntityTag,
}

impl JwksResponse {
    fn of(keys: &[PublicKey]) -> Self {
        let body = serde_json::to_string(&JwkSetResponse::of(keys)).unwrap_or_default();
        // A key id is the thumbprint of its key; the version covers changes of the serialization.
        // Joined by dots, because some clients split lists of tags at every comma.
        let ids = keys.iter().map(|key| key.id.as_str());
        let tag = std::iter::once(env!("CARGO_PKG_VERSION")).chain(ids).collect::<Vec<_>>().join(".");
        Self { body, tag: EntityTag::new_strong(tag) }
    }
}

/// Registers the routes of this feature.
pub(crate) fn routes(table: &mut Table) {
    let [id, caching, tag] = ["RequestId", "CacheControl", "ETag"].map(openapi::header);
    let headers = json!({ "X-Request-ID": id, "Cache-Control": caching, "ETag": tag });
    let unchanged = "The keys have not changed since the `ETag` in `If-None-Match`.";
    let operation = responds("The public keys.").patch(json!({ "responses": {
        "200": { "headers": headers },
        "304": { "description": unchanged, "headers": headers },
    } }));
    table.add(Method::GET, "/.well-known/jwks.json", jwks, operation);
}

/// Get public keys
///
/// Returns the public keys as a JWK Set (RFC 7517), for services that verify access tokens themselves.
/// The token's `kid` selects the key. The set is empty if a secret signs the tokens, since that has no
/// public half. Returns 304 if `If-None-Match` matches.
#[api_v2_operation(operation_id = "jwks", tags(keys))]
async fn jwks(api: Data<Api>) -> JwksResponse {
    JwksResponse::of(&api.public_keys)
}

impl Responder for JwksResponse {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        // Weak comparison (RFC 9110 §13.1.2). A list that cannot be parsed matches nothing.
        let known = match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
            Err(_) => false,
        };
        let known = known && request.headers().contains_key(header::IF_NONE_MATCH);
        let mut response = HttpResponse::build(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
        response.insert_header((header::CACHE_CONTROL, CACHING)).insert_header((header::ETAG, self.tag.to_string()));
        let mut response = if known { response.finish() } else { response.content_type(JSON).body(self.body) };
        response.extensions_mut().insert(SkipEnvelope);
        response
    }
}

impl Apiv2Schema for JwksResponse {
    fn name() -> Option<String> {
        JwkSetResponse::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        JwkSetResponse::raw_schema()
    }
}

impl OperationModifier for JwksResponse {
    fn update_response(operation: &mut DefaultOperationRaw) {
        <Reply<JwkSetResponse> as OperationModifier>::update_response(operation);
    }
}
