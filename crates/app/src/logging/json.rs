//! Writes JSON into a buffer, in ASCII only: no text can end a line, move the cursor or reverse the
//! reading direction, however a reader splits or displays lines.

use std::fmt::{self, Write};

/// Appends a string with its quotes.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    escaped(out, text);
    out.push(b'"');
}

/// Appends formatted arguments as a string, without an intermediate copy.
pub(super) fn printed(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    out.push(b'"');
    Escaping(out).write_fmt(text).ok();
    out.push(b'"');
}

/// Appends formatted arguments unescaped, for numbers.
pub(crate) fn literal(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    std::io::Write::write_fmt(out, text).ok();
}

struct Escaping<'a>(&'a mut Vec<u8>);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escaped(self.0, text);
        Ok(())
    }
}

fn escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| !is_plain(c)) {
        let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.extend_from_slice(plain.as_bytes());
        let mut chars = special.chars();
        if let Some(c) = chars.next() {
            escape(out, c);
        }
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') && c != '"' && c != '\\'
}

fn escape(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(br#"\""#),
        '\\' => out.extend_from_slice(br"\\"),
        '\n' => out.extend_from_slice(br"\n"),
        '\r' => out.extend_from_slice(br"\r"),
        '\t' => out.extend_from_slice(br"\t"),
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                literal(out, format_args!("\\u{unit:04x}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_not_plain_ascii_is_escaped() {
        let nasty = "a\"\\\r\n\t\u{0}\u{1b}[31m\u{7f}\u{85}\u{9b}\u{2028}\u{202e}ü🔑";
        assert_eq!(written(nasty), r#""a\"\\\r\n\t\u0000\u001b[31m\u007f\u0085\u009b\u2028\u202e\u00fc\ud83d\udd11""#);
    }

    #[test]
    fn every_character_stays_on_one_line_of_ascii_and_reads_back() {
        let all: Vec<char> = ('\0'..=char::MAX).collect();
        for some in all.chunks(0x1000) {
            let text: String = some.iter().collect();
            let line = written(&text);
            assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)));
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
            let mut out = Vec::new();
            printed(&mut out, format_args!("{text}{text}"));
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text.repeat(2));
        }
    }
}
