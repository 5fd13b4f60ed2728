//! Emails that the service wrote to a folder, one file each, parsed per RFC 5322 and MIME.

use super::services::Service;
use super::timing::eventually;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::path::Path;

/// Email message.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    /// Header fields, unfolded.
    head: String,
    /// Plain-text part.
    pub(crate) text: String,
    /// Header and all text parts, decoded.
    pub(crate) whole: String,
}

impl Mail {
    pub(crate) fn read(source: &str) -> Self {
        let source = source.replace("\r\n", "\n");
        let mut parts = Vec::new();
        collect(&source, &mut parts);
        let text = parts.iter().find(|(kind, _)| kind.starts_with("text/plain")).map(|(_, text)| text.clone());
        let whole = parts.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
        let (head, _) = halves(&source);
        Self { whole: format!("{head}\n{whole}"), head, text: text.expect("a plain text") }
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        field(&self.head, name).unwrap_or_else(|| panic!("no {name}: {}", self.head))
    }

    /// Returns the links in the plain text.
    pub(crate) fn links(&self) -> Vec<String> {
        let words = self.text.split_whitespace().map(|word| word.trim_matches(['<', '>', '(', ')']));
        words.filter(|word| word.starts_with("http://") || word.starts_with("https://")).map(str::to_owned).collect()
    }

    /// Returns the only link with a token.
    #[track_caller]
    pub(crate) fn link(&self) -> String {
        let mut links: Vec<_> = self.links().into_iter().filter(|link| link.contains("token=")).collect();
        links.dedup();
        assert_eq!(links.len(), 1, "{}", self.text);
        links.swap_remove(0)
    }

    /// Returns the token in that link.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        let link = self.link();
        link.split_once("token=").unwrap().1.to_owned()
    }

    /// Returns the link's path and query, from `/account/` on.
    #[track_caller]
    pub(crate) fn target(&self) -> String {
        let link = self.link();
        let at = link.find("/account/").unwrap_or_else(|| panic!("{link}"));
        link[at..].to_owned()
    }
}

/// Collects every text part with its content type, decoded.
fn collect(source: &str, parts: &mut Vec<(String, String)>) {
    let (head, body) = halves(source);
    let kind = field(&head, "Content-Type").unwrap_or("text/plain").to_owned();
    if let Some((_, boundary)) = kind.split_once("boundary=") {
        let boundary = boundary.split(';').next().unwrap().trim_matches('"');
        for part in body.split(&format!("--{boundary}")).skip(1).filter(|part| !part.starts_with("--")) {
            collect(part.trim_start_matches('\n'), parts);
        }
        return;
    }
    let bytes = match field(&head, "Content-Transfer-Encoding").unwrap_or("7bit").to_ascii_lowercase().as_str() {
        "base64" => STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap(),
        "quoted-printable" => unquoted(&body),
        _ => body.into_bytes(),
    };
    parts.push((kind, String::from_utf8(bytes).unwrap()));
}

fn halves(source: &str) -> (String, String) {
    let (head, body) = source.split_once("\n\n").unwrap_or((source, ""));
    (head.replace("\n ", " ").replace("\n\t", " "), body.to_owned())
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Decodes quoted-printable (RFC 2045 §6.7).
fn unquoted(text: &str) -> Vec<u8> {
    let text = text.replace("=\n", "");
    let mut parts = text.split('=');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(&part.as_bytes()[2..]);
    }
    bytes
}

/// Returns the emails in a folder.
pub(crate) fn mails_in(folder: &Path) -> Vec<Mail> {
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    paths.sort();
    paths.iter().filter_map(|path| fs::read_to_string(path).ok()).map(|source| Mail::read(&source)).collect()
}

impl Service {
    /// Returns the emails sent to an address so far.
    pub(crate) fn mails_to(&self, email: &str) -> Vec<Mail> {
        let mut mails = mails_in(&self.folder.join("outbox"));
        // Only the domain of an email address is case-insensitive (RFC 5321 §2.4).
        let (local, domain) = email.rsplit_once('@').unwrap();
        mails.retain(|mail| {
            let to = mail.field("To").trim_matches(['<', '>']).rsplit_once('@');
            to.is_some_and(|(to, at)| to == local && at.eq_ignore_ascii_case(domain))
        });
        mails
    }

    /// Waits for exactly `count` emails to an address and returns them.
    #[track_caller]
    pub(crate) fn wait_for_mails(&self, email: &str, count: usize) -> Vec<Mail> {
        let mails = eventually(&format!("{count} mails"), || {
            let mails = self.mails_to(email);
            (mails.len() >= count).then_some(mails)
        });
        assert_eq!(mails.len(), count, "{mails:?}");
        mails
    }

    /// Waits until the outbox has nothing left to send.
    pub(crate) fn wait_until_all_mail_is_sent(&self) {
        eventually("an empty outbox", || (self.database.count("FROM outbox WHERE dead_at IS NULL") == 0).then_some(()));
    }
}
