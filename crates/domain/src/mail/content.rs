//! Emails before and after rendering.

use super::{ClientLabel, Language, Occasion};
use crate::registration::EmailAddress;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;

/// Content of an email, to be rendered. Redacted in `Debug`, because the link contains a token.
#[derive(Clone, PartialEq, Eq)]
pub struct MailContent {
    /// Unique id, the same for every attempt: the part of the `Message-ID` before the @-sign (RFC 5322
    /// §3.6.4), in lower-case hex digits.
    pub id: String,
    /// Reason for the email.
    pub occasion: Occasion,
    /// Recipient.
    pub to: EmailAddress,
    /// Language to render in.
    pub language: Language,
    /// Link and its remaining validity; `None` if the email has no link.
    pub link: Option<(String, TimeDelta)>,
    /// Client that caused the email; `None` if the recipient may not be the account owner and must not
    /// see the client.
    pub client: Option<ClientLabel>,
    /// Time of the event that caused the email, in UTC.
    pub at: DateTime<Utc>,
}

impl fmt::Debug for MailContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailContent").field("id", &self.id).field("occasion", &self.occasion).finish_non_exhaustive()
    }
}

/// Rendered email: plain text and HTML with the same content. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct RenderedMail {
    /// Unique id, see [`MailContent::id`].
    pub id: String,
    /// The only recipient.
    pub to: EmailAddress,
    /// Language of the email.
    pub language: Language,
    /// Time of the event that caused the email, in UTC.
    pub date: DateTime<Utc>,
    /// Subject, one line without control characters.
    pub subject: String,
    /// Plain-text body.
    pub text: String,
    /// HTML body.
    pub html: String,
}

impl fmt::Debug for RenderedMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderedMail").field("id", &self.id).finish_non_exhaustive()
    }
}
