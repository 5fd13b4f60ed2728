//! Middleware of every request, from the outside in: [`request_id`] assigns an id, tracing-actix-web
//! opens a span, [`envelope`] logs the request and shapes the response.

mod envelope;
mod host;
mod request_id;
mod slash;
mod span;

pub(crate) use envelope::envelope;
pub(crate) use request_id::{RequestId, request_id};
pub(crate) use slash::Slashed;
pub(crate) use span::{RequestSpan, TRACES};

#[cfg(test)]
mod tests;
