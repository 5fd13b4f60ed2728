//! Visitors for the fields of events and spans: one that reads a single field, and one that writes all
//! others.

use super::layer::Style;
use super::{json, text};
use std::error::Error;
use std::fmt::{self, Arguments, Debug};
use tracing::field::{Field, Visit};

/// The field in which tracing stores the message.
pub(super) const MESSAGE: &str = "message";

/// Passes the value of one field to a function.
pub(super) struct OneField<F>(pub(super) &'static str, pub(super) F);

impl<F: FnMut(Arguments<'_>)> Visit for OneField<F> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == self.0 {
            (self.1)(format_args!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == self.0 {
            (self.1)(format_args!("{value}"));
        }
    }
}

/// Appends every field but the reserved ones: as members of the JSON object, or as ` name=value`.
pub(super) struct OtherFields<'a> {
    pub(super) line: &'a mut Vec<u8>,
    pub(super) style: Style,
    pub(super) reserved: &'a [&'a str],
}

/// Appends a value to a JSON object.
type WriteJson = fn(&mut Vec<u8>, Arguments<'_>);

impl OtherFields<'_> {
    fn field(&mut self, field: &Field, value: Arguments<'_>, write_json: WriteJson) {
        let name = field.name();
        let name = name.strip_prefix("r#").unwrap_or(name);
        if self.reserved.contains(&name) {
            return;
        }
        match self.style {
            Style::Json => {
                self.line.push(b',');
                json::string(self.line, name);
                self.line.push(b':');
                write_json(self.line, value);
            }
            Style::Text(colours) => {
                colours.dim(self.line, &format!(" {name}="));
                text::printed(self.line, value);
            }
        }
    }
}

impl Visit for OtherFields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.field(field, format_args!("{value:?}"), json::printed);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, format_args!("{value}"), json::printed);
    }

    /// Writes an error with its causes.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.field(field, format_args!("{}", Chain(value)), json::printed);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field, format_args!("{value}"), json::literal);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field, format_args!("{value}"), json::literal);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field, format_args!("{value}"), json::literal);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.field(field, format_args!("{value}"), json::literal);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.field(field, format_args!("{value}"), json::literal);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        match self.style {
            Style::Text(_) => self.record_debug(field, &value),
            Style::Json if value.is_finite() => self.field(field, format_args!("{value}"), json::literal),
            // JSON has neither infinities nor NaN (RFC 8259 §6).
            Style::Json => self.field(field, format_args!("null"), json::literal),
        }
    }
}

struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
