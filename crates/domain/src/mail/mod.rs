//! Emails to account owners: occasions, languages and retries.

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
