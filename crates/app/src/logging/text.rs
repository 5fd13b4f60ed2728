//! Writing values into a line of text for people. A terminal is driven by control characters, and a
//! client chooses some of the values: each of those characters is written as an escape, so that no
//! value ends a line, moves the cursor or reverses the reading direction.

use crate::settings::Level;
use std::fmt::{self, Write};

const RESET: &str = "\u{1b}[0m";
const DIM: &str = "\u{1b}[2m";

/// The colours of a terminal, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colours(pub(crate) bool);

impl Colours {
    /// Appends text in faint letters.
    pub(super) fn dim(self, out: &mut Vec<u8>, text: &str) {
        self.painted(out, DIM, text);
    }

    /// Appends the name of a level, in its colour.
    pub(super) fn level(self, out: &mut Vec<u8>, level: Level) {
        let colour = match level {
            Level::Debug => "\u{1b}[34m",
            Level::Info => "\u{1b}[32m",
            Level::Warning => "\u{1b}[33m",
            Level::Error | Level::Critical => "\u{1b}[31m",
        };
        self.painted(out, colour, &format!("{:7}", level.as_str()));
    }

    fn painted(self, out: &mut Vec<u8>, start: &str, text: &str) {
        let Self(coloured) = self;
        let (start, end) = if coloured && !text.is_empty() { (start, RESET) } else { ("", "") };
        for part in [start, text, end] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// Appends a message: its spaces and quotes stay.
pub(super) fn message(out: &mut Vec<u8>, text: &str) {
    text.chars().for_each(|c| character(out, c));
}

/// Appends the value of a field: in quotes if it could be read as more than one word.
pub(super) fn value(out: &mut Vec<u8>, text: &str) {
    if !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || is_unseen(c) || matches!(c, '"' | '=' | '\\'))
    {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push(b'\\');
        }
        character(out, c);
    }
    out.push(b'"');
}

/// Appends what the arguments print, as the value of a field.
pub(super) fn printed(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    let mut copy = String::new();
    copy.write_fmt(text).ok();
    value(out, &copy);
}

fn character(out: &mut Vec<u8>, c: char) {
    if is_unseen(c) {
        out.extend(c.escape_default().map(|c| u8::try_from(c).unwrap_or(b'?')));
    } else {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Whether a character moves the cursor, hides, or turns the reading direction.
pub(crate) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: fn(&mut Vec<u8>, &str), text: &str) -> String {
        let mut out = Vec::new();
        write(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_value_is_one_word_or_stands_in_quotes() {
        for (text, expected) in [
            ("rotated", "rotated"),
            ("/auth/login", "/auth/login"),
            ("Türsteher", "Türsteher"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a=b", "\"a=b\""),
            ("say \"x\\\"", "\"say \\\"x\\\\\\\"\""),
        ] {
            assert_eq!(written(value, text), expected);
        }
    }

    #[test]
    fn no_character_ends_a_line_or_drives_a_terminal() {
        for c in '\0'..=char::MAX {
            for text in [written(value, &format!("a{c}b")), written(message, &format!("a{c}b"))] {
                assert!(!text.chars().any(is_unseen), "{c:?}: {text:?}");
                assert_eq!(text.lines().count(), 1, "{c:?}");
            }
        }
        let nasty = "a\r\nb\u{1b}[2J\u{9b}31m\u{202e}\u{7f}\u{0}";
        assert_eq!(written(message, nasty), r"a\r\nb\u{1b}[2J\u{9b}31m\u{202e}\u{7f}\u{0}");
    }
}
