//! Encodes emails (RFC 5322) with headers, a plain text part and an HTML part. The same email is
//! encoded to the same bytes in every attempt.

use crate::address::{Sender, recipient};
use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Message, MultiPart, MultiPartKind, SinglePart};
use portcullis_domain::mail::RenderedMail;
use portcullis_ports::MailerError;
use std::time::SystemTime;

/// Encoded email and its recipient.
pub(crate) struct EncodedMail {
    /// The only recipient.
    pub(crate) to: Address,
    /// Headers and body, with CRLF line ends.
    pub(crate) bytes: Vec<u8>,
}

impl EncodedMail {
    /// Encodes an email.
    ///
    /// # Errors
    /// Returns [`MailerError::Refused`] if the email can never be encoded.
    pub(crate) fn of(mail: &RenderedMail, from: &Sender) -> Result<Self, MailerError> {
        let to = recipient(&mail.to).ok_or_else(|| refused("the address is none that mail can be sent to"))?;
        let id: String = mail.id.chars().filter(char::is_ascii_alphanumeric).collect();
        let message = Message::builder()
            .from(from.mailbox().clone())
            .raw_header(recipient_header(&to))
            .subject(one_line(&mail.subject))
            .date(SystemTime::from(mail.date))
            .message_id(Some(format!("<{id}@{}>", from.domain())))
            .raw_header(header("Content-Language", mail.language.tag()))
            // Suppresses automatic replies (RFC 3834 §5; the second header is for Exchange).
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Auto-Response-Suppress", "All"))
            .multipart(parts(mail, &id))
            .map_err(|_| refused("the mail cannot be put together"))?;
        Ok(Self { to, bytes: message.formatted() })
    }

    /// Returns whether the server must support SMTPUTF8 (RFC 6531).
    pub(crate) fn is_international(&self) -> bool {
        !self.to.user().is_ascii()
    }
}

fn refused(reason: &str) -> MailerError {
    MailerError::Refused(reason.to_owned())
}

/// Creates the `To` header. Encoded words must not represent an address (RFC 2047 §5), so a non-ASCII
/// one is written as it is (RFC 6532 §3.2).
fn recipient_header(to: &Address) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str("To"), to.to_string(), to.to_string())
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn parts(mail: &RenderedMail, id: &str) -> MultiPart {
    MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        // `=_` never occurs in quoted-printable or base64 (RFC 2045 §6.7).
        .boundary(format!("=_{id}"))
        .singlepart(SinglePart::plain(lines(&mail.text)))
        .singlepart(SinglePart::html(lines(&mail.html)))
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Normalizes line ends and removes other control characters: some servers accept other line ends as
/// the end of an email (SMTP smuggling).
fn lines(text: &str) -> String {
    let mut lines = text.replace("\r\n", "\n");
    lines.retain(|c| matches!(c, '\n' | '\t') || !c.is_control());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use portcullis_domain::mail::Language;
    use portcullis_domain::registration::EmailAddress;
    use proptest::prelude::*;

    fn mail(to: &str, subject: &str, text: &str) -> RenderedMail {
        RenderedMail {
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            to: EmailAddress::from_stored(to.to_owned()),
            language: Language::German,
            date: DateTime::from_timestamp(1_795_000_000, 0).unwrap(),
            subject: subject.to_owned(),
            text: text.to_owned(),
            html: format!("<p>{text}</p>"),
        }
    }

    fn sender() -> Sender {
        Sender::parse("Zugänge <no-reply@example.org>").unwrap()
    }

    fn written(mail: &RenderedMail) -> String {
        String::from_utf8(EncodedMail::of(mail, &sender()).unwrap().bytes).unwrap()
    }

    /// Returns the unfolded headers.
    fn headers(written: &str) -> Vec<(String, String)> {
        let (head, _) = written.split_once("\r\n\r\n").unwrap();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        unfolded.split("\r\n").map(|line| header(line).unwrap_or_else(|| panic!("{line:?}"))).collect()
    }

    #[test]
    fn email_has_the_headers_of_a_no_reply_message() {
        let written = written(&mail("Ada@example.org", "Grüße", "Hallo"));
        let expected = [
            ("From", "=?utf-8?b?WnVnw6RuZ2U=?= <no-reply@example.org>"),
            ("To", "Ada@example.org"),
            ("Subject", "=?utf-8?b?R3LDvMOfZQ==?="),
            ("Date", "Wed, 18 Nov 2026 11:06:40 +0000"),
            ("Message-ID", "<0123456789abcdef0123456789abcdef@example.org>"),
            ("Content-Language", "de"),
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", "All"),
            ("MIME-Version", "1.0"),
            ("Content-Type", "multipart/alternative; boundary=\"=_0123456789abcdef0123456789abcdef\""),
        ];
        let headers = headers(&written);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, expected);
        assert!(written.contains("Content-Type: text/plain; charset=utf-8\r\n"), "{written}");
        assert!(written.contains("Content-Type: text/html; charset=utf-8\r\n"), "{written}");
    }

    #[test]
    fn the_same_mail_is_the_same_bytes() {
        let mail = mail("a@example.org", "Hi", "ü");
        assert_eq!(written(&mail), written(&mail));
    }

    #[test]
    fn an_address_beyond_ascii_stands_as_it_is_and_is_marked() {
        let letter = EncodedMail::of(&mail("用户@例え.jp", "Hi", "Hi"), &sender()).unwrap();
        assert!(letter.is_international());
        let written = String::from_utf8(letter.bytes).unwrap();
        assert!(written.contains("\r\nTo: 用户@xn--r8jz45g.jp\r\n"), "{written}");
        assert!(!EncodedMail::of(&mail("ada@bücher.example", "Hi", "Hi"), &sender()).unwrap().is_international());
    }

    #[test]
    fn no_mail_is_made_for_what_is_no_address() {
        let letter = EncodedMail::of(&mail("a@b.org\r\nBcc: c@d.org", "Hi", "Hi"), &sender());
        assert!(matches!(letter.map(|_| ()), Err(MailerError::Refused(reason)) if !reason.contains("b.org")));
    }

    #[test]
    fn a_text_keeps_no_control_but_line_feeds_and_tabs() {
        assert_eq!(lines("a\r\nb\rc\u{0}d\te\u{1b}f\u{85}g"), "a\nbcd\tefg");
    }

    proptest! {
        #[test]
        fn content_cannot_inject_headers_line_ends_or_message_end(
            subject in "(\\PC|[\r\n\t\u{0}\u{85}\u{2028}:]){0,60}",
            text in "(\\PC|[\r\n\t.\u{0}-]){0,200}",
        ) {
            let written = written(&mail("ada@example.org", &subject, &text));
            prop_assert_eq!(headers(&written).len(), 10, "{}", written);
            let bare = written.replace("\r\n", "");
            prop_assert!(!bare.contains(['\r', '\n']), "{:?}", written);
            prop_assert!(written.is_ascii());
            prop_assert!(written.split("\r\n").all(|line| line.len() <= 998));
            prop_assert_eq!(written.matches("--=_0123456789abcdef0123456789abcdef").count(), 3);
        }
    }
}
