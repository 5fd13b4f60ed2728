//! Renders emails and pages from templates and the texts of each language. All are compiled in. Files in
//! a folder of the operator can replace any of them.

mod layout;
mod render;
mod source;
mod translations;

pub use render::MinijinjaRenderer;
pub use source::TemplatesError;
