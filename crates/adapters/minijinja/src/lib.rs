//! Words mails: one layout for plain text and one for HTML, and the words of each language, all
//! compiled in, any of which a folder of the operator's may replace. When a mail is sent, and how,
//! is left to others.

mod layout;
mod render;
mod source;
mod translations;
mod wrap;

pub use render::MinijinjaRenderer;
pub use source::TemplatesError;
