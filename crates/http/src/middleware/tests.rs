//! Tests of panics and of request data left in memory, which no request to the real service can cover.

use super::{RequestSpan, envelope, request_id};
use actix_web::body::to_bytes;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::HeaderValue;
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, init_service};
use actix_web::web::Bytes;
use actix_web::{App, Error, HttpResponse, web};
use serde_json::Value;
use tracing_actix_web::TracingLogger;

/// Creates a service that outlives its response.
async fn service() -> impl Service<actix_http::Request, Response = ServiceResponse, Error = Error> {
    let app = App::new()
        .wrap(from_fn(envelope))
        .wrap(TracingLogger::<RequestSpan>::new())
        .wrap(from_fn(request_id))
        .route("/fine", web::get().to(HttpResponse::NoContent))
        .route("/panics", web::get().to(panics));
    init_service(app).await
}

fn request(path: &str) -> TestRequest {
    TestRequest::get().uri(path).insert_header(("Host", "localhost"))
}

async fn answer(path: &str) -> Result<HttpResponse, Error> {
    answer_to(path, "*/*").await
}

async fn answer_to(path: &str, accept: &str) -> Result<HttpResponse, Error> {
    let request = request(path).insert_header(("Accept", accept)).insert_header(("X-Request-ID", "the-id"));
    service().await.call(request.to_request()).await.map(Into::into)
}

async fn panics() -> HttpResponse {
    std::panic::resume_unwind(Box::new("on purpose"))
}

#[actix_web::test]
async fn a_panic_is_the_500_envelope_with_the_id_and_the_headers() {
    let response = answer("/panics").await.unwrap_or_else(|error| error.error_response());
    assert_eq!(response.status(), 500);
    for (name, value) in [("x-request-id", "the-id"), ("x-content-type-options", "nosniff")] {
        assert_eq!(response.headers().get(name).unwrap(), value);
    }
    let body: Value = serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap();
    assert_eq!(body["error"]["code"], "INTERNAL_ERROR");
    assert_eq!(body["request_id"], "the-id");
    assert!(!body.to_string().contains("purpose"));
}

#[actix_web::test]
async fn a_panic_is_a_problem_document_to_who_prefers_it() {
    let reply = answer_to("/panics", "application/problem+json").await;
    let response = reply.unwrap_or_else(|error| error.error_response());
    assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
    let body: Value = serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap();
    assert_eq!((&body["code"], &body["request_id"]), (&"INTERNAL_ERROR".into(), &"the-id".into()));
}

#[actix_web::test]
async fn what_follows_a_panic_is_served() {
    let _ = answer("/panics").await;
    assert_eq!(answer("/fine").await.unwrap().status(), 204);
}

#[actix_web::test]
async fn buffer_of_a_request_is_released_after_its_response() {
    for path in ["/fine", "/missing"] {
        let (service, sent) = (service().await, Bytes::from(b"Bearer secret".to_vec()));
        let header = HeaderValue::from_maybe_shared(sent.clone()).unwrap();
        let request = request(path).insert_header(("Authorization", header)).to_request();
        assert!(!sent.is_unique());
        drop(service.call(request).await);
        assert!(sent.is_unique(), "{path}");
    }
}
