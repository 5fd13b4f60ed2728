//! What every request passes, from the outside in: [`identify`] names it, tracing-actix-web puts
//! it into a span, [`envelope`] logs it and gives every answer its shape.

mod envelope;
mod host;
mod identify;
mod slash;
mod span;

pub(crate) use envelope::envelope;
pub(crate) use identify::{RequestId, identify};
pub(crate) use slash::Slashed;
pub(crate) use span::{RequestSpan, TRACES};

#[cfg(test)]
mod tests;
