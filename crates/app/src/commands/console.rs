//! Output of commands: lists as columns or as JSON Lines, and untrusted text escaped for terminals.

use super::UsageError;
use crate::logging::{json, text};
use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use comfy_table::presets::NOTHING;
use comfy_table::{ColumnConstraint, Width};
use std::io::{self, IsTerminal, Write};

/// Rows per page. Column widths are computed per page, so that a list of any length prints as it is read.
const PAGE: usize = 500;

/// Value in a column of a row.
pub(crate) enum Cell {
    Text(String),
    Number(i64),
    Flag(bool),
    Time(DateTime<Utc>),
    Nothing,
    /// List of objects, displayed by its length.
    Objects(Vec<Object>),
}

/// Members of a JSON object, in order.
pub(crate) type Object = Vec<(&'static str, Cell)>;

impl From<Option<DateTime<Utc>>> for Cell {
    fn from(time: Option<DateTime<Utc>>) -> Self {
        time.map_or(Self::Nothing, Self::Time)
    }
}

impl From<Option<String>> for Cell {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Nothing, Self::Text)
    }
}

impl Cell {
    pub(crate) fn display(&self) -> String {
        match self {
            Self::Text(text) => escape_for_terminal(text),
            Self::Number(number) => number.to_string(),
            Self::Flag(true) => "yes".to_owned(),
            Self::Flag(false) => "no".to_owned(),
            Self::Time(time) => rfc3339(*time),
            Self::Nothing => "-".to_owned(),
            Self::Objects(objects) => objects.len().to_string(),
        }
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => json::string(out, text),
            Self::Number(number) => json::literal(out, format_args!("{number}")),
            Self::Flag(flag) => json::literal(out, format_args!("{flag}")),
            Self::Time(time) => json::string(out, &rfc3339(*time)),
            Self::Nothing => json::literal(out, format_args!("null")),
            Self::Objects(objects) => {
                out.push(b'[');
                for (number, object) in objects.iter().enumerate() {
                    if number > 0 {
                        out.push(b',');
                    }
                    write_object(out, object);
                }
                out.push(b']');
            }
        }
    }
}

/// Appends a JSON object.
pub(crate) fn write_object<'a>(out: &mut Vec<u8>, members: impl IntoIterator<Item = &'a (&'static str, Cell)>) {
    out.push(b'{');
    for (number, (name, cell)) in members.into_iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        json::string(out, name);
        out.push(b':');
        cell.write_json(out);
    }
    out.push(b'}');
}

/// Formats a time as RFC 3339, in UTC.
fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Escapes text to one line for a terminal: characters that move the cursor, change colors or the reading
/// direction become Rust escapes.
pub(crate) fn escape_for_terminal(chosen: &str) -> String {
    let mut out = String::with_capacity(chosen.len());
    for c in chosen.chars() {
        if text::is_unseen(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Prompts on the terminal and returns the answer without surrounding white space.
///
/// # Errors
/// Fails with `refusal` if standard input is not a terminal.
pub(crate) fn ask(prompt: &str, refusal: &'static str) -> anyhow::Result<String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(UsageError(refusal).into());
    }
    let mut out = io::stderr();
    write!(out, "{prompt}")?;
    out.flush()?;
    let mut line = String::new();
    stdin.read_line(&mut line).context("cannot read the answer")?;
    Ok(line.trim().to_owned())
}

/// List with a header and columns, or with one JSON object per line.
pub(crate) struct Table<W> {
    out: W,
    json: bool,
    columns: &'static [&'static str],
    waiting: Vec<Vec<String>>,
    /// Column widths of the pages so far. Empty before the first page.
    widths: Vec<u16>,
}

impl<W: Write> Table<W> {
    pub(crate) fn new(out: W, json: bool, columns: &'static [&'static str]) -> Self {
        Self { out, json, columns, waiting: Vec::new(), widths: Vec::new() }
    }

    /// Adds a row, with a cell for each column.
    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) -> io::Result<()> {
        if self.json {
            let members: Object = self.columns.iter().copied().zip(cells).collect();
            let mut line = Vec::new();
            write_object(&mut line, &members);
            line.push(b'\n');
            return self.out.write_all(&line);
        }
        self.waiting.push(cells.iter().map(Cell::display).collect());
        if self.waiting.len() < PAGE { Ok(()) } else { self.page() }
    }

    /// Prints the remaining rows.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.page()?;
        self.out.flush()
    }

    fn page(&mut self) -> io::Result<()> {
        const GAP: u16 = 2;
        // An empty list has its header too.
        if self.json || self.waiting.is_empty() && !self.widths.is_empty() {
            return Ok(());
        }
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING).add_rows(std::mem::take(&mut self.waiting));
        if self.widths.is_empty() {
            table.set_header(self.columns.iter().map(|name| name.to_uppercase()));
        }
        let earlier = self.widths.iter().copied().chain(std::iter::repeat(0));
        self.widths = table.column_max_content_widths().into_iter().zip(earlier).map(|(a, b)| a.max(b)).collect();
        for (column, width) in table.column_iter_mut().zip(&self.widths) {
            let width = Width::Fixed(width.saturating_add(GAP));
            column.set_padding((0, GAP)).set_constraint(ColumnConstraint::LowerBoundary(width));
        }
        writeln!(self.out, "{}", table.trim_fmt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list<const N: usize>(json: bool, rows: [[Cell; 2]; N]) -> String {
        let mut out = Vec::new();
        let mut listing = Table::new(&mut out, json, &["id", "agent"]);
        for row in rows {
            listing.row(row).unwrap();
        }
        listing.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    fn rows() -> [[Cell; 2]; 3] {
        let nasty = "a\u{1b}[31m\r\nb\u{202e}\u{7f}\u{9b}\"\\é".to_owned();
        [
            [Cell::Number(7), Cell::Text(nasty)],
            [Cell::Number(1234), Cell::Flag(true)],
            [Cell::Time(DateTime::UNIX_EPOCH), Cell::Nothing],
        ]
    }

    #[test]
    fn people_see_columns_and_no_character_that_does_anything() {
        let expected = "ID                    AGENT\n\
                        7                     a\\u{1b}[31m\\r\\nb\\u{202e}\\u{7f}\\u{9b}\"\\é\n\
                        1234                  yes\n\
                        1970-01-01T00:00:00Z  -\n";
        assert_eq!(list(false, rows()), expected);
        assert_eq!((&*list(false, []), &*list(true, [])), ("ID  AGENT\n", ""));
    }

    #[test]
    fn programs_get_an_object_a_line_in_ascii() {
        let text = list(true, rows());
        assert!(text.is_ascii() && text.lines().count() == 3, "{text}");
        let objects: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects[0]["agent"], "a\u{1b}[31m\r\nb\u{202e}\u{7f}\u{9b}\"\\é");
        assert_eq!(objects[1], serde_json::json!({"id": 1234, "agent": true}));
        assert_eq!(objects[2], serde_json::json!({"id": "1970-01-01T00:00:00Z", "agent": null}));
    }

    #[test]
    fn objects_may_hold_lists_of_objects() {
        let inner = vec![("name", Cell::Text("\"".to_owned())), ("used", Cell::Nothing)];
        let mut out = Vec::new();
        write_object(
            &mut out,
            &vec![("id", Cell::Number(1)), ("keys", Cell::Objects(vec![inner])), ("none", Cell::Objects(Vec::new()))],
        );
        let expected = r#"{"id":1,"keys":[{"name":"\"","used":null}],"none":[]}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_long_list_is_shown_page_by_page_in_columns_of_one_width() {
        let mut listing = Table::new(Vec::new(), false, &["id", "a"]);
        for number in 0..501 {
            let text = if number == 0 { "表語 " } else { "x" };
            listing.row([Cell::Text(text.to_owned()), Cell::Number(number)]).unwrap();
        }
        assert_eq!(listing.waiting.len(), 1);
        let page = String::from_utf8(listing.out.clone()).unwrap();
        assert!(page.starts_with("ID     A\n表語   0\nx      1\n") && page.lines().count() == 501, "{page}");
        listing.page().unwrap();
        let all = String::from_utf8(listing.out).unwrap();
        assert_eq!(&all[page.len()..], "x      500\n");
    }
}
