//! `GET /.well-known/jwks.json`: the public keys, for services that verify tokens by themselves.

mod dto;

use crate::api::Api;
use crate::errors::{JSON, SkipEnvelope};
use crate::reply::Reply;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, EntityTag, Header, IfNoneMatch};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, Responder};
pub(crate) use dto::{Jwk, JwkSetResponse};
use paperclip::actix::{OperationModifier, api_v2_operation};
use paperclip::v2::models::{DefaultOperationRaw, DefaultSchemaRaw};
use paperclip::v2::schema::Apiv2Schema;
use portcullis_domain::keys::PublicKey;

/// A new key is published at least this long before it signs (docs/features/keys.md).
const CACHING: &str = "public, max-age=300";

/// The set as it is served; made once, for it changes with a restart alone.
#[derive(Clone)]
pub(crate) struct JwksResponse {
    body: String,
    tag: EntityTag,
}

impl JwksResponse {
    fn of(keys: &[PublicKey]) -> Self {
        let body = serde_json::to_string(&JwkSetResponse::of(keys)).unwrap_or_default();
        // A thumbprint is its key's; the version stands for how keys are written. Some split lists of
        // tags at every comma, so there is none in a tag.
        let ids = keys.iter().map(|key| key.id.as_str());
        let tag = std::iter::once(env!("CARGO_PKG_VERSION")).chain(ids).collect::<Vec<_>>().join(".");
        Self { body, tag: EntityTag::new_strong(tag) }
    }
}

/// Publish the keys that verify tokens
///
/// For services that verify access tokens by themselves: the public keys as a JWK Set (RFC 7517),
/// by the `kid` that tokens name. Empty where a secret signs, for that has no public half.
#[api_v2_operation(operation_id = "jwks", tags(keys))]
pub(crate) async fn jwks(api: Data<Api>) -> JwksResponse {
    JwksResponse::of(&api.public_keys)
}

impl Responder for JwksResponse {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        // RFC 9110 §13.1.2: compared weakly, and a list that cannot be read counts for nothing.
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
