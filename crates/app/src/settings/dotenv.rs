//! Parser of `.env` files, compatible with python-dotenv, so that the file of an adopted FastAPI service
//! keeps its meaning. The crate `dotenvy` is not compatible: it expands `$NAME`, treats `\` outside quotes
//! as an escape, rejects blanks in unquoted values and `NAME` without `=`, reads the process environment by
//! itself, and its errors contain the line, which may hold a secret.
//!
//! Unlike in python-dotenv, a syntax error is an error: python-dotenv warns and goes on.

use super::interpolation::interpolate;
use std::collections::BTreeMap;

/// Each name with its last value, or `None` for a name without `=`.
pub(super) type Bindings = BTreeMap<String, Option<String>>;

/// Line of a statement with a syntax error, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BrokenLine(pub(super) usize);

/// Parses the text of a file. `${NAME}` expands to an earlier value in the file, or else to the environment
/// variable.
pub(super) fn parse(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Bindings, BrokenLine> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let mut bindings = Bindings::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let (binding, after) = statement(rest).ok_or_else(|| BrokenLine(line_of(&text, rest)))?;
        if let Some((name, value)) = binding {
            let value = value.map(|value| interpolate(&value, &bindings, environment));
            bindings.insert(name.to_owned(), value);
        }
        rest = after.trim_start_matches(is_space);
    }
    Ok(bindings)
}

type Binding<'a> = (&'a str, Option<String>);

/// Splits off a statement: a binding or a comment.
fn statement(text: &str) -> Option<(Option<Binding<'_>>, &str)> {
    let text = without_export(text);
    if text.starts_with('#') {
        return Some((None, end_of_statement(text)?));
    }
    let (name, rest) = name(text)?;
    let rest = rest.trim_start_matches(is_blank);
    let (value, rest) = match rest.strip_prefix('=') {
        Some(rest) => {
            let (value, rest) = value(rest.trim_start_matches(is_blank))?;
            (Some(value), rest)
        }
        None => (None, rest),
    };
    Some((Some((name, value)), end_of_statement(rest)?))
}

fn without_export(text: &str) -> &str {
    match text.strip_prefix("export") {
        Some(rest) if rest.starts_with(is_blank) => rest.trim_start_matches(is_blank),
        _ => text,
    }
}

fn name(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('\'') {
        return quoted.split_once('\'').filter(|(name, _)| !name.is_empty());
    }
    let end = text.find(|c| c == '=' || c == '#' || is_space(c)).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(name, _)| !name.is_empty())
}

fn value(text: &str) -> Option<(String, &str)> {
    if let Some(text) = text.strip_prefix('\'') {
        let (inner, rest) = quoted(text, '\'')?;
        return Some((unescape(inner, single_quote_escape), rest));
    }
    if let Some(text) = text.strip_prefix('"') {
        let (inner, rest) = quoted(text, '"')?;
        return Some((unescape(inner, double_quote_escape), rest));
    }
    let (line, rest) = text.split_at_checked(text.find('\n').unwrap_or(text.len()))?;
    Some((plain(line).to_owned(), rest))
}

/// Splits at the closing quote: the first one without a backslash before it, or else the last one.
fn quoted(text: &str, quote: char) -> Option<(&str, &str)> {
    let splits = || text.match_indices(quote).filter_map(|(at, _)| text.split_at_checked(at));
    let (inner, rest) = splits().find(|(inner, _)| !inner.ends_with('\\')).or_else(|| splits().next_back())?;
    Some((inner, rest.strip_prefix(quote)?))
}

/// Returns an unquoted value, which ends at white space followed by `#`.
fn plain(line: &str) -> &str {
    let comment = line.match_indices('#').filter_map(|(at, _)| line.get(..at)).find(|value| value.ends_with(is_space));
    comment.unwrap_or(line).trim_end_matches(is_space)
}

fn unescape(text: &str, escape: fn(char) -> Option<char>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.clone().next().and_then(escape) } else { None };
        if escaped.is_some() {
            chars.next();
        }
        out.push(escaped.unwrap_or(c));
    }
    out
}

fn single_quote_escape(c: char) -> Option<char> {
    matches!(c, '\\' | '\'').then_some(c)
}

fn double_quote_escape(c: char) -> Option<char> {
    Some(match c {
        '\\' | '\'' | '"' => c,
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        _ => return None,
    })
}

/// Returns the text after the line, or `None` if the line has more than a comment left.
fn end_of_statement(text: &str) -> Option<&str> {
    let text = text.trim_start_matches(is_blank);
    let text = if text.starts_with('#') { text.trim_start_matches(|c| c != '\n') } else { text };
    if text.is_empty() { Some(text) } else { text.strip_prefix('\n') }
}

/// White space as in Python's `\s`: Unicode white space and four separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn is_blank(c: char) -> bool {
    c != '\n' && is_space(c)
}

fn line_of(text: &str, rest: &str) -> usize {
    let before = text.strip_suffix(rest).unwrap_or_default();
    before.matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Option<String>)> {
        parse(text, &|_| None).unwrap().into_iter().collect()
    }

    /// Expected values come from python-dotenv 1.2.
    #[test]
    fn values_are_what_python_dotenv_reads() {
        for (text, value) in [
            ("A=b", "b"),
            ("A = b ", "b"),
            ("  \t A=b c  d", "b c  d"),
            ("export A=b", "b"),
            ("export\tA = 'b'", "b"),
            ("'A'=b", "b"),
            ("A=", ""),
            ("A=b#c", "b#c"),
            ("A=b #c", "b"),
            ("A=b\t# c # d", "b"),
            ("A= # c", "# c"),
            ("A='b' # c", "b"),
            ("A=\"b # c\"", "b # c"),
            ("A=b\\nc\\", "b\\nc\\"),
            ("A='b\\nc\\'d\\\\'", "b\\nc'd\\"),
            ("A=\"b\\nc\\\"d\\te\\x\"", "b\nc\"d\te\\x"),
            ("A=\"b\nc\"", "b\nc"),
            ("A='b\r\nc'", "b\nc"),
            ("A=\"b\\\"", "b\\"),
            ("A=b'c\"d", "b'c\"d"),
            ("A=$B", "$B"),
            ("A=first\nA=last", "last"),
            ("\u{feff}A=b", "b"),
            ("# c\r\n\r\n  # d\rA=b", "b"),
        ] {
            assert_eq!(read(text), [("A".to_owned(), Some(value.to_owned()))], "{text:?}");
        }
    }

    #[test]
    fn a_name_without_equals_sign_has_no_value() {
        assert_eq!(read("A\nexport\n"), [("A".to_owned(), None), ("export".to_owned(), None)]);
        assert_eq!(read("\n \n# A=b"), []);
    }

    #[test]
    fn a_broken_statement_is_told_by_its_line() {
        for (text, line) in [
            ("=b", 1),
            ("A=b\n\n  B='c\nD=e\n", 3),
            ("A=\"b", 1),
            ("A=b\nB 'c'", 2),
            ("A=b\r\nB='c' d", 2),
            ("\n\nexport =b", 3),
            ("''=b", 1),
        ] {
            assert_eq!(parse(text, &|_| None), Err(BrokenLine(line)), "{text:?}");
        }
    }
}
