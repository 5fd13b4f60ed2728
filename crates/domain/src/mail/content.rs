//! What a mail says before it is worded, and the mail itself.

use super::{ClientLabel, Language, Occasion};
use crate::registration::EmailAddress;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;

/// What a mail has to say, for whoever words it. Redacted in `Debug`: a link opens something.
#[derive(Clone, PartialEq, Eq)]
pub struct MailContent {
    /// What tells the mail from every other, the same at every try: the part of its `MailContent-ID`
    /// before the @-sign (RFC 5322 §3.6.4), lower-case hex digits.
    pub id: String,
    /// Why it is sent.
    pub occasion: Occasion,
    /// To whom.
    pub to: EmailAddress,
    /// In which language.
    pub language: Language,
    /// What its link opens, and for how long the link is good; none where the mail has none.
    pub link: Option<(String, TimeDelta)>,
    /// Client that caused it; `None` if the recipient may be a stranger, to whom nothing of clients is
    /// sent.
    pub client: Option<ClientLabel>,
    /// When it was caused, in UTC.
    pub at: DateTime<Utc>,
}

impl fmt::Debug for MailContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("id", &self.id).field("occasion", &self.occasion).finish_non_exhaustive()
    }
}

/// A mail, worded: plain text and HTML that say the same. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct RenderedMail {
    /// As in [`MailContent::id`].
    pub id: String,
    /// To whom: this one recipient.
    pub to: EmailAddress,
    /// In which language.
    pub language: Language,
    /// When it was caused, in UTC.
    pub date: DateTime<Utc>,
    /// A line without control characters.
    pub subject: String,
    /// For a plain terminal.
    pub text: String,
    /// For everybody else.
    pub html: String,
}

impl fmt::Debug for RenderedMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("id", &self.id).finish_non_exhaustive()
    }
}
