//! Mail to the owners of accounts: on which occasions, in which language, and when it is tried
//! again. Wording it, keeping it and handing it to a mail server is left to others.

mod client;
mod content;
mod language;
mod occasion;
mod retry;

pub use client::{ClientLabel, DeviceLabel};
pub use content::{MailContent, RenderedMail};
pub use language::Language;
pub use occasion::{NewMail, Occasion};
pub use retry::{DEFAULT_RETRY_POLICY, RetryDecision, RetryPolicy};
