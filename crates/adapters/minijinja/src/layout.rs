//! Template engine configured for emails and pages: undefined names are errors, and HTML is escaped.

use crate::source::{TemplatesError, built_in, templates};
use minijinja::value::Kwargs;
use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value, escape_formatter};
use serde::Serialize;
use std::collections::BTreeMap;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Maximum width of a line in columns (RFC 3676 §4.2 recommends at most 78).
const COLUMNS: usize = 72;

/// Compiled templates and the engine that fills in texts.
pub(crate) struct Layouts(Environment<'static>);

/// Values that the email layouts display.
#[derive(Serialize)]
pub(crate) struct Page<'a> {
    pub(crate) language: &'static str,
    pub(crate) app_name: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) heading: String,
    pub(crate) intro: String,
    pub(crate) action: String,
    pub(crate) button: String,
    pub(crate) copy: String,
    pub(crate) link: Option<Link<'a>>,
    pub(crate) details: Vec<Detail>,
    pub(crate) warning: String,
    pub(crate) sender: String,
}

/// Link of an email, and how long it is valid.
#[derive(Serialize)]
pub(crate) struct Link<'a> {
    pub(crate) url: &'a str,
    pub(crate) validity: String,
}

/// Labeled value below the text, such as an IP address.
#[derive(Serialize)]
pub(crate) struct Detail {
    pub(crate) label: String,
    pub(crate) value: String,
    pub(crate) line: String,
}

impl Layouts {
    /// Compiles the templates. The operator's files replace the built-in ones. Every template and text may
    /// use the `names`.
    pub(crate) fn compile<const N: usize>(
        own: &BTreeMap<String, String>,
        names: [(&'static str, Value); N],
    ) -> Result<Self, TemplatesError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_keep_trailing_newline(true);
        environment.set_formatter(format_value);
        environment.add_filter("wrap", |text: String| wrap(&text));
        environment.add_filter("fill", fill);
        for (name, value) in names {
            environment.add_global(name, value);
        }
        for file in templates() {
            let text = own.get(file).cloned().unwrap_or_else(|| built_in(file).to_owned());
            environment.add_template_owned(file, text).map_err(|error| TemplatesError::of(file, describe(&error)))?;
        }
        Ok(Self(environment))
    }

    /// Renders a template.
    pub(crate) fn render(&self, file: &str, values: &impl Serialize) -> Result<String, TemplatesError> {
        let rendered = self.0.get_template(file).and_then(|template| template.render(values));
        rendered.map_err(|error| TemplatesError::of(error.name().unwrap_or(file), describe(&error)))
    }

    /// Fills in a text as plain text.
    pub(crate) fn interpolate(&self, words: &str, with: &impl Serialize) -> Result<String, String> {
        self.0.render_str(words, with).map_err(|error| describe(&error))
    }
}

/// Escapes markup but keeps slashes. The engine's own formatter replaces them with character
/// references, which some tools do not recognize as part of a link.
fn format_value(out: &mut Output<'_>, state: &State<'_, '_>, value: &Value) -> Result<(), Error> {
    match (state.auto_escape(), value.as_str()) {
        (AutoEscape::Html, Some(text)) if !value.is_safe() => Ok(out.write_str(&escaped(text))?),
        _ => escape_formatter(out, state, value),
    }
}

/// Escapes a text of the translations for a page. Apostrophes stay: they are frequent, and only the
/// operator can write these texts. The templates' attributes have double quotes.
pub(crate) fn page_text(text: &str) -> Value {
    Value::from_safe_string(escaped(text).replace("&#x27;", "'"))
}

/// Replaces names in a text of a page with values, which are escaped: `text|fill(provider=label)`.
fn fill(text: &str, values: Kwargs) -> Result<Value, Error> {
    let mut filled = text.to_owned();
    for name in values.args() {
        filled = filled.replace(&format!("{{{{ {name} }}}}"), &escaped(values.get(name)?));
    }
    Ok(Value::from_safe_string(filled))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            c => out.push(c),
        }
    }
    out
}

/// Describes an error by its line, kind and undefined name, without any filled-in value.
fn describe(error: &Error) -> String {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{line}{}{detail}", error.kind())
}

/// Breaks lines where Unicode allows it (UAX 14). A longer word, such as a URL, stays whole.
fn wrap(text: &str) -> String {
    let options = Options::new(COLUMNS)
        .break_words(false)
        .word_separator(WordSeparator::UnicodeBreakProperties)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::fill(text, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_where_the_language_allows_it() {
        let long = "a".repeat(100);
        assert_eq!(wrap(&format!("to {long} now")), format!("to\n{long}\nnow"));
        assert_eq!(wrap("使用 Portcullis 注册"), "使用 Portcullis 注册");
        let text = wrap(&format!("{} fin\u{a0}: b", "a".repeat(68)));
        assert!(text.ends_with("\nfin\u{a0}: b"), "{text:?}");
        let text = wrap(&"如果不是您本人操作，请忽略本邮件（一切不变）。“好”".repeat(5));
        assert!(text.lines().count() > 2 && text.lines().all(|line| textwrap::core::display_width(line) <= COLUMNS));
        for line in text.lines() {
            assert!(!line.starts_with(['，', '）', '。', '”']) && !line.ends_with(['（', '“']), "{line}");
        }
    }
}
