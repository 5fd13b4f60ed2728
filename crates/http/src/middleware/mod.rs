//! What every request passes, from the outside in: [`request_id`] names it, tracing-actix-web puts
//! it into a span, [`envelope`] logs it and gives every answer its shape.

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
