//! What a handler that panics costs, which no request of the real service can show.

use super::{RequestSpan, envelope, identify};
use actix_web::body::to_bytes;
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::{App, Error, HttpResponse, web};
use serde_json::Value;
use tracing_actix_web::TracingLogger;

async fn answer(path: &str) -> Result<HttpResponse, Error> {
    answer_to(path, "*/*").await
}

async fn answer_to(path: &str, accept: &str) -> Result<HttpResponse, Error> {
    let app = App::new()
        .wrap(from_fn(envelope))
        .wrap(TracingLogger::<RequestSpan>::new())
        .wrap(from_fn(identify))
        .route("/fine", web::get().to(HttpResponse::NoContent))
        .route("/panics", web::get().to(panics));
    let service = init_service(app).await;
    let request = TestRequest::get().uri(path).insert_header(("Host", "localhost")).insert_header(("Accept", accept));
    let request = request.insert_header(("X-Request-ID", "the-id")).to_request();
    try_call_service(&service, request).await.map(Into::into)
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
