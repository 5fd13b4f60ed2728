//! Email addresses of sender and recipient, for SMTP and headers. Domains are converted to ASCII (RFC
//! 5890), so only the part before the @-sign can require SMTPUTF8.

use lettre::Address;
use lettre::message::Mailbox;
use portcullis_domain::registration::EmailAddress;
use std::fmt;

/// Sender of emails: `Name <user@example.org>`, or the email address alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Mailbox);

/// Error for a text that is not a sender. Contains nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderError;

impl std::error::Error for SenderError {}

impl fmt::Display for SenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is neither an address nor a name and an address")
    }
}

impl Sender {
    /// Parses a sender. The name may be in quotation marks.
    ///
    /// ```
    /// use portcullis_lettre::Sender;
    /// assert!(Sender::parse("Zugang <no-reply@example.org>").is_ok());
    /// assert!(Sender::parse("no-reply@example.org").is_ok());
    /// assert!(Sender::parse("no-reply").is_err());
    /// ```
    ///
    /// # Errors
    /// Returns [`SenderError`] if the text is not a sender.
    pub fn parse(text: &str) -> Result<Self, SenderError> {
        match text.trim().strip_suffix('>') {
            Some(text) => {
                let (name, address) = text.rsplit_once('<').ok_or(SenderError)?;
                Self::new(name, address)
            }
            None => Self::new("", text.trim()),
        }
    }

    /// Creates a sender from a name, which may be empty, and an email address.
    ///
    /// # Errors
    /// Returns [`SenderError`] if one of them is not allowed in a header.
    pub fn new(name: &str, address: &str) -> Result<Self, SenderError> {
        let name = name.trim();
        let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        let name = quoted.unwrap_or(name);
        let (local, domain) = address.rsplit_once('@').ok_or(SenderError)?;
        if name.chars().any(char::is_control) || !local.is_ascii() {
            return Err(SenderError);
        }
        let address = spoken(local, domain).ok_or(SenderError)?;
        Ok(Self(Mailbox::new((!name.is_empty()).then(|| name.to_owned()), address)))
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.0
    }

    pub(crate) fn address(&self) -> &str {
        self.0.email.as_ref()
    }

    pub(crate) fn domain(&self) -> &str {
        self.0.email.domain()
    }
}

/// Returns the email address of a recipient, or `None` if emails cannot be sent to it: databases
/// contain email addresses that other programs accepted.
pub(crate) fn recipient(email: &EmailAddress) -> Option<Address> {
    let (local, domain) = email.original().rsplit_once('@')?;
    spoken(local, domain)
}

fn spoken(local: &str, domain: &str) -> Option<Address> {
    // Characters that would end the email address in a command or a header, or begin another one.
    let breaks = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\\' | ',' | ';' | '\u{2028}' | '\u{2029}')
    };
    if local.chars().any(breaks) || domain.chars().any(breaks) {
        return None;
    }
    // An ASCII domain keeps its spelling.
    let ascii = if domain.is_ascii() { domain.to_owned() } else { idna::domain_to_ascii(domain).ok()? };
    Address::new(local, ascii).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> Option<String> {
        recipient(&EmailAddress::from_stored(text.to_owned())).map(|address| address.to_string())
    }

    #[test]
    fn a_sender_is_a_name_and_an_address() {
        for (text, name, address) in [
            ("no-reply@localhost", None, "no-reply@localhost"),
            ("<a@example.org>", None, "a@example.org"),
            ("Ada, Countess <a@example.org>", Some("Ada, Countess"), "a@example.org"),
            ("\"Zugänge\" <a@bücher.example>", Some("Zugänge"), "a@xn--bcher-kva.example"),
        ] {
            let sender = Sender::parse(text).unwrap();
            assert_eq!((sender.0.name.as_deref(), sender.address()), (name, address), "{text}");
        }
        for text in [
            "",
            "a",
            "a@",
            "@a",
            "a <b>",
            "a@b <c",
            "a@b, c@d",
            "x\r\nBcc: y@z <a@b>",
            "é@example.org",
            "a b@example.org",
        ] {
            assert_eq!(Sender::parse(text), Err(SenderError), "{text:?}");
        }
    }

    #[test]
    fn the_domain_of_a_recipient_is_spoken_in_ascii() {
        assert_eq!(stored("Ada+1@Example.org").as_deref(), Some("Ada+1@Example.org"));
        assert_eq!(stored("ada@bücher.example").as_deref(), Some("ada@xn--bcher-kva.example"));
        assert_eq!(stored("用户@例え.jp").as_deref(), Some("用户@xn--r8jz45g.jp"));
    }

    #[test]
    fn what_would_be_more_than_an_address_is_none() {
        for text in [
            "a",
            "a@b\r\nRCPT TO:<c@d>",
            "a>\r\n@b.org",
            "a,b@c.org",
            "a b@c.org",
            "\"a\"@c.org",
            "a@b.org>",
            "a\0@b.org",
            "a@b@c.org",
        ] {
            assert_eq!(stored(text), None, "{text:?}");
        }
    }
}
