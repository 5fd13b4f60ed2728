//! Renders the content of an email to its subject, plain text and HTML, and pages to HTML.

use crate::layout::{Detail, Layouts, Link, Page, page_text};
use crate::source::{HTML, TEXT, TemplatesError, page_file, read_folder, words_file};
use crate::translations::{COMMON, Translations};
use chrono::{DateTime, TimeDelta};
use minijinja::{Value, context};
use portcullis_domain::mail::{ClientLabel, DeviceLabel, Language, MailContent, Occasion, RenderedMail};
use portcullis_domain::registration::{EmailAddress, PasswordPolicy};
use portcullis_ports::{MailRenderer, RenderError};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::OnceLock;

/// Maximum length of a subject in characters.
const MAX_SUBJECT: usize = 200;
/// Names that the templates fill in to the texts of a section, with the filter `fill`.
const FILLED: [(&str, &[&str]); 10] = [
    ("link_identity", &["provider"]),
    ("continue", &["provider"]),
    ("login", &["provider", "app"]),
    ("continue_as", &["app"]),
    ("to_app", &["app"]),
    ("identities", &["provider", "when"]),
    ("security", &["when", "count"]),
    ("passkeys", &["when"]),
    ("devices", &["app", "system", "when"]),
    ("ago", &["count"]),
];

/// Renders emails and pages from templates in every language.
pub struct MinijinjaRenderer {
    app_name: String,
    layouts: Layouts,
    /// The operator's files by name.
    own: BTreeMap<String, String>,
    /// Read at the first use: six languages at once would double the time of a start.
    words: HashMap<Language, OnceLock<Words>>,
}

/// Texts of a language.
struct Words {
    texts: Translations,
    /// Texts of the pages by section and key, filled in.
    pages: Value,
}

/// Variables that the texts of an email may use.
#[derive(Serialize)]
struct Names<'a> {
    app_name: &'a str,
    email: &'a str,
}

impl MinijinjaRenderer {
    /// Creates a renderer. Emails and pages show `app_name` as the name of the service; pages state the
    /// rules for passwords. Files in `folder` replace the built-in templates and texts of the same name; with
    /// one, renders every kind of email and fills in every text of the pages once, so that a broken file
    /// fails at startup.
    ///
    /// # Errors
    /// Returns [`TemplatesError`] for the first template that cannot be used.
    pub fn new(app_name: &str, passwords: &PasswordPolicy, folder: Option<&Path>) -> Result<Self, TemplatesError> {
        let own = folder.map(read_folder).transpose()?.unwrap_or_default();
        let names = [
            ("app_name", Value::from(app_name)),
            ("min_chars", Value::from(passwords.min_chars())),
            ("max_chars", Value::from(PasswordPolicy::MAX_CHARS)),
        ];
        let layouts = Layouts::compile(&own, names)?;
        let words = Language::ALL.map(|language| (language, OnceLock::new())).into();
        let renderer = Self { app_name: app_name.to_owned(), layouts, own, words };
        if folder.is_some() {
            for (language, occasion) in Language::ALL.iter().flat_map(|l| Occasion::ALL.map(|o| (*l, o))) {
                renderer.render_mail(&sample(occasion, language))?;
            }
        }
        Ok(renderer)
    }

    /// Renders a page from its template, `pages/{page}.html`, with the values it displays.
    ///
    /// # Errors
    /// Returns [`TemplatesError`] if the template fails.
    pub fn render_page(
        &self,
        language: Language,
        page: &str,
        values: &impl Serialize,
    ) -> Result<String, TemplatesError> {
        let (language, words) = (language.tag(), self.words(language)?.pages.clone());
        self.layouts.render(&page_file(page), &context! { language, words, ..Value::from_serialize(values) })
    }

    fn words(&self, language: Language) -> Result<&Words, TemplatesError> {
        let file = words_file(language);
        let place = self.words.get(&language).ok_or_else(|| TemplatesError::of(&file, "there are no such words"))?;
        if let Some(words) = place.get() {
            return Ok(words);
        }
        let texts = Translations::read(language, self.own.get(&file))?;
        let pages = TextFiller { layouts: &self.layouts, words: &texts, language }.pages()?;
        Ok(place.get_or_init(|| Words { texts, pages }))
    }

    fn render_mail(&self, message: &MailContent) -> Result<RenderedMail, TemplatesError> {
        let language = message.language;
        let names = Names { app_name: &self.app_name, email: message.to.original() };
        let writer = TextFiller { layouts: &self.layouts, words: &self.words(language)?.texts, language };
        let subject = one_line(&writer.text(message.occasion.as_str(), "subject", &names)?);
        let page = writer.page(message, &names, &subject)?;
        let (text, html) = (self.layouts.render(TEXT, &page)?, self.layouts.render(HTML, &page)?);
        Ok(RenderedMail {
            id: message.id.clone(),
            to: message.to.clone(),
            language,
            date: message.at,
            subject,
            text,
            html,
        })
    }
}

impl MailRenderer for MinijinjaRenderer {
    fn render(&self, message: &MailContent) -> Result<RenderedMail, RenderError> {
        self.render_mail(message).map_err(|error| RenderError(error.to_string()))
    }
}

/// Fills in the texts of one language.
struct TextFiller<'a> {
    layouts: &'a Layouts,
    words: &'a Translations,
    language: Language,
}

impl TextFiller<'_> {
    /// Fills in the texts of the pages. They are plain text: markup in them is escaped. The names of [`FILLED`]
    /// stay.
    fn pages(&self) -> Result<Value, TemplatesError> {
        let sections = self.words.pages().map(|(name, texts)| {
            let section = format!("pages.{name}");
            let names = FILLED.iter().filter(|(section, _)| *section == name).flat_map(|(_, names)| *names);
            let with: Value = names.map(|name| (*name, format!("{{{{ {name} }}}}"))).collect();
            let fill = |key: &String| Ok((key.clone(), page_text(&self.text(&section, key, &with)?)));
            Ok((name, texts.keys().map(fill).collect::<Result<Value, TemplatesError>>()?))
        });
        sections.collect()
    }

    fn text(&self, section: &str, key: &str, with: &impl Serialize) -> Result<String, TemplatesError> {
        let filled = self.layouts.interpolate(self.words.get(section, key), with);
        filled.map_err(|error| TemplatesError::of(&words_file(self.language), format!("{key} in [{section}]: {error}")))
    }

    fn page<'p>(
        &self,
        message: &'p MailContent,
        names: &Names<'p>,
        subject: &'p str,
    ) -> Result<Page<'p>, TemplatesError> {
        let say = |key| self.text(message.occasion.as_str(), key, names);
        Ok(Page {
            language: self.language.tag(),
            app_name: names.app_name,
            subject,
            heading: say("heading")?,
            intro: say("intro")?,
            action: say("action")?,
            button: say("button")?,
            copy: self.text(COMMON, "copy", names)?,
            link: self.link(message, names)?,
            details: self.details(message, names)?,
            warning: say("warning")?,
            sender: self.text(COMMON, "sender", names)?,
        })
    }

    fn link<'p>(&self, message: &'p MailContent, names: &Names<'_>) -> Result<Option<Link<'p>>, TemplatesError> {
        let Some((url, lifetime)) = &message.link else { return Ok(None) };
        let (key, count) = duration(*lifetime);
        let count = count.to_string();
        let duration = self.text(COMMON, key, &BTreeMap::from([("count", count.as_str())]))?;
        let with = BTreeMap::from([("duration", duration.as_str()), ("app_name", names.app_name)]);
        Ok(Some(Link { url, validity: self.text(COMMON, "validity", &with)? }))
    }

    fn details(&self, message: &MailContent, names: &Names<'_>) -> Result<Vec<Detail>, TemplatesError> {
        let address = message.client.and_then(|client| client.address);
        let address = address.map(|address| address.to_canonical().to_string());
        let agent = message.client.map(|client| self.device(client.device, names)).transpose()?;
        let time = message.at.format("%Y-%m-%d %H:%M UTC").to_string();
        [("time", Some(time)), ("address", address), ("agent", agent)]
            .into_iter()
            .filter_map(|(key, value)| value.map(|value| (key, value)))
            .map(|(key, value)| {
                let label = self.text(COMMON, key, names)?;
                let with = BTreeMap::from([("label", label.as_str()), ("value", value.as_str())]);
                let line = self.text(COMMON, "detail", &with)?;
                Ok(Detail { label, value, line })
            })
            .collect()
    }

    fn device(&self, label: DeviceLabel, names: &Names<'_>) -> Result<String, TemplatesError> {
        let app = label.app.map_or_else(|| self.text(COMMON, "unknown_app", names), |app| Ok(app.to_owned()))?;
        let Some(system) = label.system else { return Ok(app) };
        self.text(COMMON, "app_on", &BTreeMap::from([("app", app.as_str()), ("system", system)]))
    }
}

/// Returns the unit (days, hours or minutes) that expresses a lifetime as a whole number, and that
/// number.
fn duration(lifetime: TimeDelta) -> (&'static str, i64) {
    let minutes = lifetime.num_minutes().max(1);
    match (minutes / 1440, minutes / 60) {
        (days @ 2.., _) if minutes % 1440 == 0 => ("days", days),
        (_, hours @ 1..) if minutes % 60 == 0 => (if hours == 1 { "hour" } else { "hours" }, hours),
        _ => (if minutes == 1 { "minute" } else { "minutes" }, minutes),
    }
}

fn one_line(subject: &str) -> String {
    let plain: String = subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_SUBJECT).collect()
}

/// Returns sample content, to test the templates.
fn sample(occasion: Occasion, language: Language) -> MailContent {
    let link = occasion.purpose().map(|purpose| ("https://auth.example.org/account".to_owned(), purpose.lifetime()));
    MailContent {
        id: "0".repeat(32),
        occasion,
        to: EmailAddress::from_stored("ada@example.org".to_owned()),
        language,
        link,
        client: Some(ClientLabel {
            address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
            device: DeviceLabel { app: None, system: Some("Windows") },
        }),
        at: DateTime::UNIX_EPOCH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_best_unit() {
        for (lifetime, told) in [
            (TimeDelta::minutes(30), ("minutes", 30)),
            (TimeDelta::hours(24), ("hours", 24)),
            (TimeDelta::days(7), ("days", 7)),
            (TimeDelta::hours(1), ("hour", 1)),
            (TimeDelta::minutes(90), ("minutes", 90)),
            (TimeDelta::hours(49), ("hours", 49)),
            (TimeDelta::seconds(61), ("minute", 1)),
            (TimeDelta::zero(), ("minute", 1)),
        ] {
            assert_eq!(duration(lifetime), told);
        }
    }

    #[test]
    fn a_subject_is_one_short_line() {
        assert_eq!(one_line("a\r\nBcc: b\u{85} \u{1b}[m "), "a Bcc: b [m");
        assert_eq!(one_line(&"é".repeat(999)).chars().count(), MAX_SUBJECT);
    }
}
