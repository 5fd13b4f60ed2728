//! Addresses as SMTP and headers need them: the service's own, and the one that a mail goes to.
//! Domains are spoken in ASCII (RFC 5890), so that only a local part can ask for SMTPUTF8.

use lettre::Address;
use lettre::message::Mailbox;
use portcullis_domain::registration::EmailAddress;
use std::fmt;

/// From whom mails are: `Name <user@example.org>`, or the address alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Mailbox);

/// Why a text names no sender. Holds none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderError;

impl std::error::Error for SenderError {}

impl fmt::Display for SenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is neither an address nor a name and an address")
    }
}

impl Sender {
    /// Reads a sender. The name may stand in quotation marks.
    ///
    /// ```
    /// use portcullis_lettre::Sender;
    /// assert!(Sender::parse("Zugang <no-reply@example.org>").is_ok());
    /// assert!(Sender::parse("no-reply@example.org").is_ok());
    /// assert!(Sender::parse("no-reply").is_err());
    /// ```
    ///
    /// # Errors
    /// [`SenderError`], when it is none.
    pub fn parse(text: &str) -> Result<Self, SenderError> {
        match text.trim().strip_suffix('>') {
            Some(text) => {
                let (name, address) = text.rsplit_once('<').ok_or(SenderError)?;
                Self::new(name, address)
            }
            None => Self::new("", text.trim()),
        }
    }

    /// The sender with that name, which may be empty, and that address.
    ///
    /// # Errors
    /// [`SenderError`], when one of them cannot stand in a header.
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

/// The address that a mail goes to, if mail can be sent to it: stores hold what other programs
/// took for addresses.
pub(crate) fn recipient(email: &EmailAddress) -> Option<Address> {
    let (local, domain) = email.original().rsplit_once('@')?;
    spoken(local, domain)
}

fn spoken(local: &str, domain: &str) -> Option<Address> {
    // What would end the address in a command or a header, or begin another.
    let breaks = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\\' | ',' | ';' | '\u{2028}' | '\u{2029}')
    };
    if local.chars().any(breaks) || domain.chars().any(breaks) {
        return None;
    }
    // One in ASCII stays as it is spelled.
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
