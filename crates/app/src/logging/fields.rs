//! Visitors for the fields of events and spans: the message, the request id and the others.

use super::json;
use super::text::{self, Colours};
use std::error::Error;
use std::fmt::{self, Debug};
use tracing::field::{Field, Visit};

/// The field in which tracing stores the message.
const MESSAGE: &str = "message";

/// Appends the message as a string.
pub(super) struct MessageVisitor<'a>(pub(super) &'a mut Vec<u8>);

impl Visit for MessageVisitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == MESSAGE {
            json::printed(self.0, format_args!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MESSAGE {
            json::string(self.0, value);
        }
    }
}

/// Reads the value of one field as JSON.
pub(super) struct OneField<'a> {
    pub(super) name: &'static str,
    pub(super) value: &'a mut Vec<u8>,
}

impl Visit for OneField<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == self.name {
            self.value.clear();
            json::printed(self.value, format_args!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == self.name {
            self.value.clear();
            json::string(self.value, value);
        }
    }
}

/// Appends every field but the reserved ones as members.
pub(super) struct MembersVisitor<'a> {
    pub(super) line: &'a mut Vec<u8>,
    pub(super) reserved: &'a [&'a str],
}

impl MembersVisitor<'_> {
    fn member(&mut self, field: &Field, value: impl FnOnce(&mut Vec<u8>)) {
        let name = field.name();
        let name = name.strip_prefix("r#").unwrap_or(name);
        if !self.reserved.contains(&name) {
            self.line.push(b',');
            json::string(self.line, name);
            self.line.push(b':');
            value(self.line);
        }
    }

    fn number(&mut self, field: &Field, number: fmt::Arguments<'_>) {
        self.member(field, |line| json::literal(line, number));
    }
}

impl Visit for MembersVisitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.member(field, |line| json::printed(line, format_args!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |line| json::string(line, value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.number(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, format_args!("{value}"));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.number(field, format_args!("{value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.number(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has neither infinities nor NaN (RFC 8259 §6).
        if value.is_finite() {
            self.number(field, format_args!("{value}"));
        } else {
            self.number(field, format_args!("null"));
        }
    }

    /// Writes an error with its causes.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.member(field, |line| json::printed(line, format_args!("{}", Chain(value))));
    }
}

/// Appends the message as readable text.
pub(super) struct TextMessage<'a>(pub(super) &'a mut Vec<u8>);

impl Visit for TextMessage<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == MESSAGE {
            text::message(self.0, &format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MESSAGE {
            text::message(self.0, value);
        }
    }
}

/// Appends every field but the message and the reserved ones as ` name=value`.
pub(super) struct TextFields<'a> {
    pub(super) line: &'a mut Vec<u8>,
    pub(super) colours: Colours,
    pub(super) reserved: &'a [&'a str],
}

impl TextFields<'_> {
    fn field(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let name = field.name();
        let name = name.strip_prefix("r#").unwrap_or(name);
        if name != MESSAGE && !self.reserved.contains(&name) {
            self.colours.dim(self.line, &format!(" {name}="));
            text::printed(self.line, value);
        }
    }
}

impl Visit for TextFields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.field(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, format_args!("{value}"));
    }

    /// Writes an error with its causes.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.field(field, format_args!("{}", Chain(value)));
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
