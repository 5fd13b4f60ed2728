//! HTML builder. Escapes every text, so that user input cannot become markup.

use super::FormError;
use std::fmt::Write;

/// A fragment of HTML.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Html(String);

/// A form field.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// Help text.
    pub(crate) hint: Option<String>,
    /// Fixed attributes, such as the type and `autocomplete`.
    pub(crate) attributes: &'static str,
    /// Initial value.
    pub(crate) value: Option<String>,
    /// Minimum length in characters.
    pub(crate) min_chars: Option<usize>,
}

/// Element id of the error message.
const PROBLEM: &str = "problem";

impl Html {
    /// Creates a paragraph.
    pub(crate) fn paragraph(text: &str) -> Self {
        Self(format!("<p>{}</p>\n", escaped(text)))
    }

    /// Creates a paragraph with an email address.
    pub(crate) fn address(text: &str) -> Self {
        Self(format!("<p class=\"address\">{}</p>\n", escaped(text)))
    }

    /// Creates a paragraph that reports success.
    pub(crate) fn done(text: &str) -> Self {
        Self(format!("<p class=\"done\" role=\"status\">{}</p>\n", escaped(text)))
    }

    /// Creates a section with its own title.
    pub(crate) fn section(title: &str, parts: Vec<Self>) -> Self {
        Self(format!(
            "<section aria-labelledby=\"part\">\n<h2 id=\"part\">{}</h2>\n{}</section>\n",
            escaped(title),
            join(parts)
        ))
    }

    /// Creates a titled list of links, each a target relative to the page and a name.
    pub(crate) fn links(id: &'static str, title: &str, links: &[(&'static str, &'static str)]) -> Self {
        let link = |(to, name): &(&str, &str)| format!("<li><a href=\"{to}\">{}</a></li>\n", escaped(name));
        let (title, links) = (escaped(title), links.iter().map(link).collect::<String>());
        Self(format!(
            "<nav aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n<ul class=\"links\">\n{links}</ul>\n</nav>\n"
        ))
    }

    /// Creates the error message, with a link to the invalid field.
    pub(super) fn problem(fault: &FormError) -> Self {
        let text = escaped(&fault.text);
        let text = match fault.field {
            Some(field) => format!("<a href=\"#{field}\">{text}</a>"),
            None => text,
        };
        Self(format!("<p class=\"problem\" id=\"{PROBLEM}\" role=\"alert\">{text}</p>\n"))
    }

    /// Creates a form that posts to a sibling page. The URL is relative, since the service may be
    /// served below a path.
    pub(crate) fn form(page: &'static str, parts: Vec<Self>, button: &str) -> Self {
        let (parts, button) = (join(parts), escaped(button));
        Self(format!("<form method=\"post\" action=\"{page}\">\n{parts}<button>{button}</button>\n</form>\n"))
    }

    /// Creates a form without browser validation: browsers reject some valid email addresses (RFC
    /// 6531).
    pub(crate) fn unchecked_form(page: &'static str, parts: Vec<Self>, button: &str) -> Self {
        Self(Self::form(page, parts, button).0.replacen("<form ", "<form novalidate ", 1))
    }

    /// Creates a form with a second way to submit it, below its own button.
    pub(crate) fn form_with_alternative(page: &'static str, parts: Vec<Self>, button: &str, other: Self) -> Self {
        let form = Self::form(page, parts, button).0;
        Self(form.replacen("</form>", &format!("{}</form>", other.0), 1))
    }

    /// Creates a button that submits its name if it is pressed. Skips browser validation.
    pub(crate) fn named_button(name: &'static str, button: &str) -> Self {
        Self(format!("<button name=\"{name}\" formnovalidate>{}</button>\n", escaped(button)))
    }

    /// Creates a hidden field.
    pub(crate) fn hidden(name: &'static str, value: &str) -> Self {
        Self(format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escaped(value)))
    }

    /// Creates the username field for password managers.
    pub(crate) fn username(email: &str) -> Self {
        Self(format!("<input type=\"text\" autocomplete=\"username\" value=\"{}\" readonly hidden>\n", escaped(email)))
    }

    /// Creates a field with its label, and with the error if it is the invalid one.
    pub(crate) fn field(field: &Field, fault: Option<&FormError>) -> Self {
        let Field { name, label, hint, attributes, value, min_chars } = field;
        let at_fault = fault.is_some_and(|fault| fault.field == Some(*name));
        let mut html = format!("<label for=\"{name}\">{}</label>\n", escaped(label));
        if let Some(hint) = hint {
            let _ = writeln!(html, "<p class=\"hint\" id=\"{name}-hint\">{}</p>", escaped(hint));
        }
        let _ = write!(html, "<input id=\"{name}\" name=\"{name}\" required {attributes}");
        if let Some(value) = value {
            let _ = write!(html, " value=\"{}\"", escaped(value));
        }
        if let Some(min_chars) = min_chars {
            let _ = write!(html, " minlength=\"{min_chars}\"");
        }
        let described = [at_fault.then(|| PROBLEM.to_owned()), hint.as_ref().map(|_| format!("{name}-hint"))];
        let described: Vec<_> = described.into_iter().flatten().collect();
        if !described.is_empty() {
            let _ = write!(html, " aria-describedby=\"{}\"", described.join(" "));
        }
        if at_fault {
            html.push_str(" aria-invalid=\"true\" autofocus");
        }
        html.push_str(">\n");
        Self(html)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn join(parts: Vec<Html>) -> String {
    parts.into_iter().map(|part| part.0).collect()
}

/// Escapes text for an element or a double-quoted attribute.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "\"><script>alert('&')</script>";

    #[test]
    fn no_text_becomes_markup() {
        let text = Some(HOSTILE.to_owned());
        let field =
            Field { name: "x", label: HOSTILE, hint: text.clone(), attributes: "", value: text, min_chars: None };
        let fault = FormError { text: HOSTILE.to_owned(), field: None };
        for html in [
            Html::paragraph(HOSTILE),
            Html::address(HOSTILE),
            Html::done(HOSTILE),
            Html::section(HOSTILE, Vec::new()),
            Html::links("x", HOSTILE, &[("docs", HOSTILE)]),
            Html::problem(&fault),
            Html::form("x", vec![Html::hidden("x", HOSTILE), Html::username(HOSTILE)], HOSTILE),
            Html::field(&field, None),
        ] {
            assert!(!html.as_str().contains("<script") && !html.as_str().contains("\"\">"), "{html:?}");
            assert!(html.as_str().contains("&lt;script&gt;"), "{html:?}");
        }
    }

    #[test]
    fn a_field_at_fault_is_tied_to_what_is_wrong_with_it() {
        let field = |name| {
            let hint = Some("h".to_owned());
            Field { name, label: "L", hint, attributes: "", value: None, min_chars: Some(8) }
        };
        let fault = FormError { text: "wrong".to_owned(), field: Some("one") };
        let one = Html::field(&field("one"), Some(&fault));
        assert!(one.as_str().contains("minlength=\"8\" aria-describedby=\"problem one-hint\" aria-invalid=\"true\""));
        let other = Html::field(&field("other"), Some(&fault));
        assert!(other.as_str().contains("aria-describedby=\"other-hint\"") && !other.as_str().contains("invalid"));
        assert!(Html::problem(&fault).as_str().contains("id=\"problem\" role=\"alert\"><a href=\"#one\">wrong</a>"));
    }
}
