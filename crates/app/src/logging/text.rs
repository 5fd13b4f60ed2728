//! Writes values into a readable text line. Control characters are escaped, because clients choose some
//! of the values: no value can end a line, move the cursor or reverse the reading direction.

use crate::settings::Level;
use std::fmt::{self, Write};

const RESET: &str = "\u{1b}[0m";
const DIM: &str = "\u{1b}[2m";

/// Terminal colors; off if false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colours(pub(crate) bool);

impl Colours {
    /// Appends dimmed text.
    pub(super) fn dim(self, out: &mut Vec<u8>, text: &str) {
        self.painted(out, DIM, text);
    }

    /// Appends the name of a level in its color.
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

/// Appends a message. Keeps its spaces and quotes.
pub(super) fn message(out: &mut Vec<u8>, text: &str) {
    text.chars().for_each(|c| character(out, c));
}

/// Appends the value of a field, in quotes if it could be read as more than one word.
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

/// Appends formatted arguments as the value of a field.
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

/// Returns whether a character is invisible, moves the cursor or changes the reading direction.
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
